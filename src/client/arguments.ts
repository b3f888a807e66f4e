/**
 * What the client refuses to send. A server would refuse most of it too, a round trip later and with
 * a code that does not say where the mistake is; some of it (an oversized request, a version that
 * does not fit) it would answer by closing the connection, which hurts every other call on it.
 *
 * Each check throws an `ArgumentError` or returns; nothing else, whatever it is given.
 */
import { CreateMode, isTtl, type CreateModeValue } from '../protocol/create-mode.js';
import { ttlMaxMs } from '../protocol/limits.js';
import { validatePath } from '../protocol/paths.js';
import { Perms } from '../protocol/perms.js';
import { utf8Length } from '../protocol/utf8.js';
import { ArgumentError, describeValue } from './argument-error.js';
import type { Acl, Data, NodeMode } from './types.js';

export { ArgumentError } from './argument-error.js';

/** What a request may spend on data, unless the limit is known better: jute.maxbuffer's default. */
export const dataBytesMaxDefault = 0xfffff;

const flagsOfMode: Readonly<Record<NodeMode, CreateModeValue>> = {
  persistent: CreateMode.persistent,
  ephemeral: CreateMode.ephemeral,
  'persistent-sequential': CreateMode.persistentSequential,
  'ephemeral-sequential': CreateMode.ephemeralSequential,
  container: CreateMode.container,
  'persistent-ttl': CreateMode.persistentWithTtl,
  'persistent-sequential-ttl': CreateMode.persistentSequentialWithTtl,
};

/** A path that the server accepts. `isSequential`: digits follow, so it may end with a slash. */
export function checkPath(
  path: unknown,
  what = 'path',
  isSequential = false,
): asserts path is string {
  if (typeof path !== 'string') {
    throw new ArgumentError(what, '', 0, `expected a string, not ${describeValue(path)}`);
  }
  const fault = validatePath(path, isSequential);
  if (fault === null) return;
  const at = /^(.*) @(\d+)$/s.exec(fault);
  if (at !== null) throw new ArgumentError(what, path, Number(at[2]), at[1] ?? fault);
  const isAtEnd = path.length > 1 && path.startsWith('/');
  throw new ArgumentError(what, path, isAtEnd ? path.length - 1 : 0, fault);
}

/** Bytes or text of at most `bytesMax`. */
export function checkData(
  data: unknown,
  bytesMax = dataBytesMaxDefault,
  what = 'data',
): asserts data is Data {
  if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
    throw new ArgumentError(
      what,
      '',
      0,
      `expected a Uint8Array or a string, not ${describeValue(data)}`,
    );
  }
  const byteCount = typeof data === 'string' ? utf8Length(data) : data.length;
  if (byteCount > bytesMax) {
    throw new ArgumentError(what, '', bytesMax, `${byteCount} bytes, at most ${bytesMax} fit`);
  }
}

/** A list, not empty, of entries with permissions, a scheme and an id. */
export function checkAcl(acl: unknown, what = 'acl'): asserts acl is readonly Acl[] {
  if (!Array.isArray(acl)) {
    throw new ArgumentError(what, '', 0, `expected a list, not ${describeValue(acl)}`);
  }
  if (acl.length === 0) throw new ArgumentError(what, '', 0, 'an empty list permits nothing');
  for (let i = 0; i < acl.length; i++) checkAclEntry(acl[i], i, what);
}

function checkAclEntry(entry: unknown, index: number, what: string): void {
  if (typeof entry !== 'object' || entry === null) {
    throw new ArgumentError(what, '', index, `expected an object, not ${describeValue(entry)}`);
  }
  const { perms, scheme, id } = entry as Partial<Record<keyof Acl, unknown>>;
  if (typeof perms !== 'number' || !Number.isInteger(perms) || perms < 0 || perms > Perms.all) {
    throw new ArgumentError(
      what,
      '',
      index,
      `perms is a set of bits from 0 to 31, not ${describeValue(perms)}`,
    );
  }
  if (typeof scheme !== 'string' || scheme === '') {
    throw new ArgumentError(what, '', index, `scheme is a name, not ${describeValue(scheme)}`);
  }
  if (typeof id !== 'string') {
    throw new ArgumentError(what, '', index, `id is a string, not ${describeValue(id)}`);
  }
  const fault = faultOfId(scheme, id);
  if (fault !== null) throw new ArgumentError(what, `${scheme}:${id}`, index, fault);
}

/** What the schemes that every server has demand of their ids; null: nothing to object to. */
function faultOfId(scheme: string, id: string): string | null {
  if (scheme === 'world' && id !== 'anyone') return 'the only id of world is anyone';
  if (scheme === 'digest' && !/^[^:]*:[^:]+$/.test(id)) {
    return 'an id of digest is user:base64(sha1(user:password))';
  }
  return null;
}

/** A mode and its flags on the wire; `ttlMs` where and only where the mode has one. */
export function checkCreate(
  mode: unknown,
  ttlMs: unknown,
): { readonly flags: CreateModeValue; readonly ttlMs: number } {
  const name = mode ?? 'persistent';
  if (typeof name !== 'string' || !Object.hasOwn(flagsOfMode, name)) {
    throw new ArgumentError(
      'mode',
      typeof name === 'string' ? name : '',
      0,
      `expected one of ${Object.keys(flagsOfMode).join(', ')}, not ${describeValue(name)}`,
    );
  }
  const flags = flagsOfMode[name as NodeMode];
  if (!isTtl(flags)) {
    if (ttlMs !== undefined) {
      throw new ArgumentError(
        'ttlMs',
        name,
        0,
        'only the modes ending in -ttl have a time to live',
      );
    }
    return { flags, ttlMs: 0 };
  }
  if (typeof ttlMs !== 'number' || !Number.isInteger(ttlMs) || ttlMs < 1 || ttlMs > ttlMaxMs) {
    throw new ArgumentError(
      'ttlMs',
      name,
      0,
      `expected whole milliseconds from 1 to ${ttlMaxMs}, not ${describeValue(ttlMs)}`,
    );
  }
  return { flags, ttlMs };
}

/** A version of data or of an ACL; undefined and -1 mean any. Returns what goes on the wire. */
export function checkVersion(version: unknown, what = 'version'): number {
  if (version === undefined) return -1;
  if (typeof version !== 'number' || !Number.isInteger(version)) {
    throw new ArgumentError(what, '', 0, `expected a whole number, not ${describeValue(version)}`);
  }
  if (version !== (version | 0)) {
    throw new ArgumentError(what, String(version), 0, 'a version has 32 bits');
  }
  return version;
}

/** Throws the signal's reason when it has been aborted, `ArgumentError` when it is none. */
export function checkSignal(
  signal: unknown,
  what = 'signal',
): asserts signal is AbortSignal | undefined {
  if (signal === undefined) return;
  if (!(signal instanceof AbortSignal)) {
    throw new ArgumentError(what, '', 0, `expected an AbortSignal, not ${describeValue(signal)}`);
  }
  signal.throwIfAborted();
}

/** Something to call with events. */
export function checkWatcher(watcher: unknown, what = 'watcher'): void {
  if (typeof watcher === 'function') return;
  throw new ArgumentError(what, '', 0, `expected a function, not ${describeValue(watcher)}`);
}
