/**
 * Bytes read and written by namespace, the first element of a path. They are counted for every
 * request, on the path's bytes: a small table remembers the namespaces seen last, so that nothing is
 * decoded or allocated for those that come again.
 */
import { decodeUtf8 } from '../protocol/utf8.js';
import type { Summary, SummaryFamily } from './metric.js';

const SLASH = 0x2f;
const PLACES = 256;

interface Known {
  readonly name: Uint8Array;
  readonly summary: Summary;
}

export class NamespaceFigures {
  readonly #family: SummaryFamily;
  readonly #known: (Known | null)[] = new Array<Known | null>(PLACES).fill(null);

  constructor(family: SummaryFamily) {
    this.#family = family;
  }

  /** `bytesBeside` those of the path, which is bytes[start, end). The root is in no namespace. */
  add(bytes: Uint8Array, start: number, end: number, bytesBeside: number): void {
    let hash = 0;
    let at = start + 1;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === SLASH) break;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    if (at <= start + 1) return;
    const place = (hash ^ (hash >>> 8)) & (PLACES - 1);
    let known = this.#known[place] ?? null;
    if (known === null || !isSame(known.name, bytes, start + 1, at)) {
      known = this.#look(bytes.slice(start + 1, at));
      if (known === null) return;
      this.#known[place] = known;
    }
    known.summary.add(end - start + bytesBeside);
  }

  /** Null: there are too many namespaces. */
  #look(name: Uint8Array): Known | null {
    const summary = this.#family.of(decodeUtf8(name, 0, name.length));
    return summary === undefined ? null : { name, summary };
  }
}

function isSame(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) if (name[i]! !== bytes[start + i]!) return false;
  return true;
}
