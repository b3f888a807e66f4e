/**
 * Names of znodes. Three things live here because they must agree to the byte everywhere: which paths
 * are allowed (Apache's rules, which both sides of the wire apply), how a path splits, and the hash
 * that the tree's index and the watch tables share.
 *
 * The hash is a polynomial over the UTF-8 bytes with a final mix. A polynomial can take eight bytes a
 * step (the chain is one multiplication instead of eight), and it can be carried on from any prefix,
 * so one pass over a path yields the hashes of all its ancestors.
 */

/**
 * Null when the path is fine, else the reason. With `isSequential` the server will append digits, so
 * `/queue/` is a fine path to ask for.
 */
export function validatePath(path: string, isSequential = false): string | null {
  const whole = isSequential ? `${path}1` : path;
  if (whole.length === 0) return 'Path length must be > 0';
  if (whole.charCodeAt(0) !== SLASH) return 'Path must start with / character';
  if (whole.length === 1) return null;
  if (whole.charCodeAt(whole.length - 1) === SLASH) return 'Path must not end with / character';
  let segmentStart = 1;
  for (let i = 1; i < whole.length; i++) {
    const c = whole.charCodeAt(i);
    if (c === SLASH) {
      if (i === segmentStart) return `empty node name specified @${i}`;
      if (isDots(whole, segmentStart, i)) return `relative paths not allowed @${i - 1}`;
      segmentStart = i + 1;
    } else if (c === 0) {
      return `null character not allowed @${i}`;
    } else if (isForbidden(c)) {
      return `invalid character @${i}`;
    }
  }
  if (isDots(whole, segmentStart, whole.length)) {
    return `relative paths not allowed @${whole.length - 1}`;
  }
  return null;
}

/**
 * True: the bytes are a path that `validatePath` accepts, sequential or not. False: perhaps not; decode
 * and ask `validatePath`. Answers for ASCII only, which is what paths are made of, without a string.
 */
export function isPlainPath(bytes: Uint8Array, start: number, end: number): boolean {
  if (end <= start || bytes[start] !== SLASH) return false;
  let last = SLASH;
  for (let i = start + 1; i < end; i++) {
    const c = bytes[i]!;
    // a dot is fine inside a name; where it follows a slash or a dot the careful check decides
    if (c < 0x20 || c >= 0x7f) return false;
    if ((c === SLASH || c === DOT) && (last === SLASH || last === DOT)) return false;
    last = c;
  }
  return last !== SLASH || end - start === 1;
}

/** The path of the parent; the root has none and is its own. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** The last name of the path; the root's is empty. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The path of `name` in `parent`, where the root may be written "/" or "". */
export function join(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`;
}

/** Where a hash begins: `extendPathHash(PATH_HASH_SEED, …)` then `finishPathHash`. */
export const PATH_HASH_SEED = 0x5bd1e995;

const M1 = 0x9e3779b1 | 0;
const M2 = Math.imul(M1, M1);
const M3 = Math.imul(M2, M1);
const M4 = Math.imul(M3, M1);
const M5 = Math.imul(M4, M1);
const M6 = Math.imul(M5, M1);
const M7 = Math.imul(M6, M1);
const M8 = Math.imul(M7, M1);

/** Carries an unfinished hash on over more bytes; where the bytes are cut does not matter. */
export function extendPathHash(
  state: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let h = state;
  let i = start;
  for (const last = end - 8; i <= last; i += 8) {
    const near = Math.imul(bytes[i + 4]!, M3) + Math.imul(bytes[i + 5]!, M2);
    const far = Math.imul(bytes[i]!, M7) + Math.imul(bytes[i + 1]!, M6);
    const mid = Math.imul(bytes[i + 2]!, M5) + Math.imul(bytes[i + 3]!, M4);
    h = (Math.imul(h, M8) + far + mid + near + Math.imul(bytes[i + 6]!, M1) + bytes[i + 7]!) | 0;
  }
  for (; i < end; i++) h = (Math.imul(h, M1) + bytes[i]!) | 0;
  return h;
}

/** Spreads what the polynomial gathered over all 32 bits. */
export function finishPathHash(state: number): number {
  let h = state ^ (state >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Signed 32 bits over the bytes of a path. The root hashes the same as "/" and as "". */
export function pathHash(bytes: Uint8Array, start: number, end: number): number {
  if (end - start === 1 && bytes[start] === SLASH) return ROOT_HASH;
  return finishPathHash(extendPathHash(PATH_HASH_SEED, bytes, start, end));
}

/** `pathHash` of the path's UTF-8 bytes. */
export function pathHashOf(path: string): number {
  return path === '/' ? ROOT_HASH : finishPathHash(extendPathHashOf(PATH_HASH_SEED, path));
}

/** `extendPathHash` over the text's UTF-8 bytes. */
export function extendPathHashOf(state: number, text: string): number {
  let h = state;
  for (let i = 0; i < text.length; i++) {
    let c = text.charCodeAt(i);
    if (c < 0x80) {
      h = (Math.imul(h, M1) + c) | 0;
      continue;
    }
    if (c >= 0xd800 && c <= 0xdfff) {
      const code = text.codePointAt(i) ?? c;
      if (code <= 0xffff) {
        h = (Math.imul(h, M1) + QUESTION_MARK) | 0;
        continue;
      }
      i++;
      h = (Math.imul(h, M1) + (0xf0 | (code >> 18))) | 0;
      h = (Math.imul(h, M1) + (0x80 | ((code >> 12) & 0x3f))) | 0;
      c = code & 0xfff;
      h = (Math.imul(h, M1) + (0x80 | (c >> 6))) | 0;
    } else if (c < 0x800) {
      h = (Math.imul(h, M1) + (0xc0 | (c >> 6))) | 0;
    } else {
      h = (Math.imul(h, M1) + (0xe0 | (c >> 12))) | 0;
      h = (Math.imul(h, M1) + (0x80 | ((c >> 6) & 0x3f))) | 0;
    }
    h = (Math.imul(h, M1) + (0x80 | (c & 0x3f))) | 0;
  }
  return h;
}

const SLASH = 0x2f;
const DOT = 0x2e;
const QUESTION_MARK = 0x3f;
const ROOT_HASH = finishPathHash(PATH_HASH_SEED);

/** Whether a segment is "." or "..". */
function isDots(text: string, start: number, end: number): boolean {
  const length = end - start;
  if (length !== 1 && length !== 2) return false;
  return text.charCodeAt(start) === DOT && text.charCodeAt(end - 1) === DOT;
}

/** Control characters, surrogates (so everything beyond the basic plane), private use, specials. */
function isForbidden(c: number): boolean {
  return c <= 0x1f || (c >= 0x7f && c <= 0x9f) || (c >= 0xd800 && c <= 0xf8ff) || c >= 0xfff0;
}
