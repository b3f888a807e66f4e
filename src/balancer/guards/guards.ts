/**
 * What clients may not do: too many connections, requests that come too fast or are too large, too many
 * watches, operations and paths that are denied, writes through a port that is for reading. A request
 * that is refused is answered in its turn with an error that clients know, and no server hears of it:
 *
 *   NOTREADONLY   a write through a read-only listener
 *   NOAUTH        a denied operation or path
 *   THROTTLEDOP   faster than the rate
 *   QUOTAEXCEEDED too large, or a watch too many
 *
 * What a session lives by is never refused: pings, logins, setting watches again, its end.
 */
import { assert } from '../../base/assert.js';
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import type { SessionView } from '../keeping/keeping-types.js';
import type { ClientLimits, GuardOptions, PathRule } from './limits.js';
import { isWithin, namedPaths, touches, type NamedPath } from './named-paths.js';
import { opOfName } from '../telling/op-names.js';
import { int32At, isWriteOp } from '../keeping/request-facts.js';
import { TokenBucket } from './token-bucket.js';

export type RefusalReason = 'read-only' | 'denied' | 'rate' | 'size' | 'watches';

const PASS = 0;
const nobody: readonly never[] = [];
/** Watches of an address are counted anew at most so often. */
const RECOUNT_MS = 50;
/** Identities of one session that are looked at. */
const IDENTITIES_MAX = 8;
const CLAIMS_MAX = 64;
const HEADER_BYTES = 8;

/** All that one address, one identity or one class has here at once. */
class Tenant {
  readonly key: string;
  readonly limits: ClientLimits;
  connections = 0;
  readonly bucket: TokenBucket | null;
  readonly sessions = new Set<SessionView>();
  /** Not less than there are, as far as they were set through here. */
  watchesMost = 0;
  countedMs = -Infinity;

  constructor(key: string, limits: ClientLimits, nowMs: number) {
    this.key = key;
    this.limits = limits;
    this.bucket = limits.rate === undefined ? null : new TokenBucket(limits.rate, nowMs);
  }
}

/** What is known of one connection; from `admit` to `release`. */
export interface GuardedConnection {
  readonly address: string;
  readonly isReadOnly: boolean;
}

class Guarded implements GuardedConnection {
  readonly address: string;
  readonly isReadOnly: boolean;
  readonly byAddress: Tenant;
  /** Null: its class has no limits. */
  readonly byClass: Tenant | null;
  session: SessionView | null = null;
  byIdentity: readonly Tenant[] = nobody;
  /** Of auth packets that are not answered yet, in their order; null: there was none. */
  claims: string[] | null = null;

  constructor(address: string, isReadOnly: boolean, byAddress: Tenant, byClass: Tenant | null) {
    this.address = address;
    this.isReadOnly = isReadOnly;
    this.byAddress = byAddress;
    this.byClass = byClass;
  }
}

interface CompiledRule {
  readonly rule: PathRule;
  readonly names: (op: number, isWrite: boolean) => boolean;
  readonly bucket: TokenBucket | null;
}

export class Guards {
  readonly #options: GuardOptions;
  readonly #nowMs: () => number;
  readonly #addressLimits: ClientLimits;
  readonly #identityLimits: ClientLimits;
  readonly #rules: readonly CompiledRule[];
  readonly #denied: ((op: number, isWrite: boolean) => boolean) | null;
  readonly #addresses = new Map<string, Tenant>();
  readonly #identities = new Map<string, Tenant>();
  readonly #classes: ReadonlyMap<string, Tenant>;
  readonly #countsWatches: boolean;
  readonly #reader = new Reader();
  #connections = 0;
  /** Why the last request was refused. */
  reason: RefusalReason = 'denied';

  constructor(options: GuardOptions, nowMs: () => number) {
    this.#options = options;
    this.#nowMs = nowMs;
    this.#addressLimits = options.perAddress ?? {};
    this.#identityLimits = options.perIdentity ?? {};
    const classes = Object.entries(options.perClass ?? {});
    this.#classes = new Map(
      classes.map(([name, limits]) => [name, new Tenant(name, limits, nowMs())]),
    );
    const all = [this.#addressLimits, this.#identityLimits, ...classes.map(([, one]) => one)];
    this.#countsWatches = all.some(({ watches }) => watches !== undefined);
    this.#rules = (options.paths ?? []).map((rule) => ({
      rule,
      names: selectorOf(rule.ops),
      bucket: rule.rate === undefined ? null : new TokenBucket(rule.rate, nowMs()),
    }));
    this.#denied = options.denyOps === undefined ? null : selectorOf(options.denyOps);
  }

  get connectionCount(): number {
    return this.#connections;
  }

  // ------------------------------------------------------------------ connections

  /** One line says why it is refused; else it counts until `release`. */
  admit(address: string, isReadOnly: boolean, className: string): GuardedConnection | string {
    const { connections: inAll } = this.#options;
    if (inAll !== undefined && this.#connections >= inAll) return `more than ${inAll} connections`;
    const byClass = this.#classes.get(className) ?? null;
    if (byClass !== null && isFull(byClass)) {
      return `more than ${byClass.connections} connections of the class ${className}`;
    }
    let tenant = this.#addresses.get(address);
    if (tenant !== undefined && isFull(tenant)) {
      return `more than ${tenant.connections} connections from one address`;
    }
    if (tenant === undefined) {
      tenant = new Tenant(address, this.#addressLimits, this.#nowMs());
      this.#addresses.set(address, tenant);
    }
    tenant.connections++;
    if (byClass !== null) byClass.connections++;
    this.#connections++;
    return new Guarded(address, isReadOnly, tenant, byClass);
  }

  release(connection: GuardedConnection): void {
    const guarded = guardedOf(connection);
    this.#connections--;
    const { byAddress, byClass, byIdentity, session } = guarded;
    if (byClass !== null) {
      byClass.connections--;
      if (session !== null) byClass.sessions.delete(session);
    }
    if (--byAddress.connections === 0) this.#addresses.delete(byAddress.key);
    for (const tenant of byIdentity) {
      if (--tenant.connections === 0) this.#identities.delete(tenant.key);
      if (session !== null) tenant.sessions.delete(session);
    }
    if (session !== null) byAddress.sessions.delete(session);
  }

  // ------------------------------------------------------------------ requests

  /** 0, or the error that the client is to get. */
  judge(
    connection: GuardedConnection,
    session: SessionView,
    op: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const guarded = guardedOf(connection);
    if (guarded.session === null) this.#meet(guarded, session);
    switch (op) {
      case OpCode.auth:
        if (this.#options.perIdentity !== undefined) noteClaim(guarded, bytes, start, end);
        return PASS;
      case OpCode.ping:
      case OpCode.sasl:
      case OpCode.closeSession:
        return PASS;
      default:
    }
    const isWrite = isWriteOp(op);
    if (guarded.isReadOnly && isWrite) return this.#refuse('read-only');
    if (this.#denied?.(op, isWrite) === true) return this.#refuse('denied');
    const byPaths = this.#rules.length === 0 ? PASS : this.#judgePaths(op, bytes, start, end);
    if (byPaths !== PASS || op === OpCode.setWatches || op === OpCode.setWatches2) return byPaths;
    const length = end - start;
    const isWatch = this.#countsWatches && setsWatch(op, bytes, start, end);
    const limit = this.#judgeTenant(guarded.byAddress, length, isWatch);
    if (limit !== PASS) return limit;
    const { byClass } = guarded;
    const ofClass = byClass === null ? PASS : this.#judgeTenant(byClass, length, isWatch);
    if (ofClass !== PASS) return ofClass;
    for (const tenant of guarded.byIdentity) {
      const more = this.#judgeTenant(tenant, length, isWatch);
      if (more !== PASS) return more;
    }
    return PASS;
  }

  /** The server has answered an auth packet. Null: all is well; else why the connection is to end. */
  onAuthAnswered(connection: GuardedConnection, error: number): string | null {
    const guarded = guardedOf(connection);
    const claim = guarded.claims?.shift();
    if (claim === undefined || claim === '' || error !== 0) return null;
    return this.#identify(guarded, claim);
  }

  /** Null: all is well; else why the connection is to end. */
  onCertificate(connection: GuardedConnection, subject: string): string | null {
    if (this.#options.perIdentity === undefined) return null;
    return this.#identify(guardedOf(connection), `x509:${subject}`);
  }

  #identify(guarded: Guarded, key: string): string | null {
    const { byIdentity, session } = guarded;
    if (byIdentity.length >= IDENTITIES_MAX || byIdentity.some((one) => one.key === key)) {
      return null;
    }
    let tenant = this.#identities.get(key);
    if (tenant === undefined) {
      tenant = new Tenant(key, this.#identityLimits, this.#nowMs());
      this.#identities.set(key, tenant);
    }
    tenant.connections++;
    guarded.byIdentity = [...byIdentity, tenant];
    if (session !== null) tenant.sessions.add(session);
    const { connections } = this.#identityLimits;
    return connections !== undefined && tenant.connections > connections
      ? `more than ${connections} connections of one identity`
      : null;
  }

  #meet(guarded: Guarded, session: SessionView): void {
    guarded.session = session;
    // who they are is asked only to count their watches
    if (!this.#countsWatches) return;
    guarded.byAddress.sessions.add(session);
    guarded.byClass?.sessions.add(session);
    for (const tenant of guarded.byIdentity) tenant.sessions.add(session);
  }

  #judgeTenant(tenant: Tenant, length: number, isWatch: boolean): number {
    const { limits } = tenant;
    if (limits.requestBytes !== undefined && length > limits.requestBytes) {
      return this.#refuse('size');
    }
    if (tenant.bucket?.take(this.#nowMs()) === false) return this.#refuse('rate');
    const { watches } = limits;
    if (watches !== undefined && isWatch) {
      if (tenant.watchesMost >= watches) this.#recount(tenant);
      if (tenant.watchesMost >= watches) return this.#refuse('watches');
      tenant.watchesMost++;
    }
    return PASS;
  }

  #recount(tenant: Tenant): void {
    const nowMs = this.#nowMs();
    if (nowMs - tenant.countedMs < RECOUNT_MS) return;
    tenant.countedMs = nowMs;
    let sum = 0;
    for (const session of tenant.sessions) sum += session.watches;
    tenant.watchesMost = sum;
  }

  #judgePaths(op: number, bytes: Uint8Array, start: number, end: number): number {
    const paths = namedPaths(this.#reader, op, bytes, start, end) ?? [];
    for (const path of paths) {
      const verdict = this.#judgePath(path, end - start);
      if (verdict !== PASS) return verdict;
    }
    return PASS;
  }

  #judgePath(path: NamedPath, length: number): number {
    // to deny, any of it is enough; to allow, it takes the whole
    const found = this.#rules.find(({ rule: { prefix, action }, names }) => {
      if (!names(path.op, path.isWrite)) return false;
      return action === 'deny' ? touches(path, prefix) : isWithin(path.path, prefix);
    });
    if (found === undefined) return PASS;
    const { rule, bucket } = found;
    if (rule.action === 'allow') return PASS;
    if (rule.action === 'deny') return this.#refuse('denied');
    // what a session has watched is not a request that it makes
    if (path.op === OpCode.setWatches || path.op === OpCode.setWatches2) return PASS;
    if (rule.requestBytes !== undefined && length > rule.requestBytes) return this.#refuse('size');
    return bucket?.take(this.#nowMs()) === false ? this.#refuse('rate') : PASS;
  }

  #refuse(reason: RefusalReason): number {
    this.reason = reason;
    switch (reason) {
      case 'read-only':
        return ErrorCode.notReadOnly;
      case 'denied':
        return ErrorCode.noAuth;
      case 'rate':
        return ErrorCode.throttledOp;
      case 'size':
      case 'watches':
        return ErrorCode.quotaExceeded;
    }
  }
}

function isFull({ connections, limits }: Tenant): boolean {
  return limits.connections !== undefined && connections >= limits.connections;
}

function guardedOf(connection: GuardedConnection): Guarded {
  assert(connection instanceof Guarded, 'a connection that was admitted here');
  return connection;
}

const readOps: ReadonlySet<number> = new Set([
  OpCode.exists,
  OpCode.getData,
  OpCode.getACL,
  OpCode.getChildren,
  OpCode.getChildren2,
  OpCode.multiRead,
  OpCode.addWatch,
  OpCode.setWatches,
  OpCode.setWatches2,
  OpCode.checkWatches,
  OpCode.removeWatches,
  OpCode.getEphemerals,
  OpCode.getAllChildrenNumber,
]);

function selectorOf(ops: readonly string[] | undefined): (op: number, isWrite: boolean) => boolean {
  if (ops === undefined) return () => true;
  const names = new Set(ops.map((name) => name.toLowerCase()));
  const reads = names.delete('read');
  const writes = names.delete('write');
  const codes = new Set([...names].map(opOfName));
  return (op, isWrite) => codes.has(op) || (isWrite ? writes : reads && readOps.has(op));
}

/** Those of `exists`, `getData` and the like say behind their path whether they ask for a watch. */
function setsWatch(op: number, bytes: Uint8Array, start: number, end: number): boolean {
  switch (op) {
    case OpCode.exists:
    case OpCode.getData:
    case OpCode.getChildren:
    case OpCode.getChildren2: {
      const pathAt = start + HEADER_BYTES;
      if (pathAt + 4 > end) return false;
      const watchAt = pathAt + 4 + Math.max(0, int32At(bytes, pathAt));
      return watchAt < end && bytes[watchAt] !== 0;
    }
    case OpCode.addWatch:
      return true;
    default:
      return false;
  }
}

/** Header, type, then scheme and proof, each behind its length. */
function noteClaim(guarded: Guarded, bytes: Uint8Array, start: number, end: number): void {
  // each is answered, so each has its place
  const claims = (guarded.claims ??= []);
  claims.push(claims.length < CLAIMS_MAX ? claimIn(bytes, start, end) : '');
}

const AUTH_BODY_AT = 12;

function claimIn(bytes: Uint8Array, start: number, end: number): string {
  const scheme = textAt(bytes, start + AUTH_BODY_AT, end);
  const proof = textAt(bytes, start + AUTH_BODY_AT + 4 + (scheme?.length ?? 0), end);
  if (scheme === null || proof === null) return '';
  // of a name and a password the name alone
  const [name = ''] = scheme === 'digest' ? proof.split(':', 1) : [proof];
  return `${scheme}:${name}`;
}

/** By bytes: a name is a key here, not to be shown. */
function textAt(bytes: Uint8Array, at: number, end: number): string | null {
  if (at + 4 > end) return null;
  const length = int32At(bytes, at);
  if (length < 0 || length > end - at - 4) return null;
  let text = '';
  for (let i = at + 4; i < at + 4 + length; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
