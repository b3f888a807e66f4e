/**
 * What clients may not do: too many connections, requests that come too fast or are too large, too many
 * watches, operations and paths that are denied, writes through a port that is for reading. A request
 * that is refused is answered in its turn with an error that clients know, and no server hears of it:
 *
 *   NOTREADONLY   a write through a read-only listener
 *   NOAUTH        a denied operation or path
 *   THROTTLEDOP   faster than the rate, for longer than it may wait
 *   QUOTAEXCEEDED too large, or a watch too many
 *
 * What a session lives by is never refused: pings, logins, its end. Watches that are set again count,
 * and are refused only where one session alone has more of them than the limit: who was within it before
 * it lost its server (or its balancer, whose count nobody here knows) must not lose them silently, and
 * clients do not look at the answer.
 */
import { assert } from '../../base/assert.js';
import type { Clock } from '../../ports/clock.js';
import type { Socket } from '../../ports/network.js';
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import type { SessionView } from '../keeping/keeping-types.js';
import { int32At, isWriteOp } from '../keeping/request-facts.js';
import { Guarded, type GuardedConnection } from './guarded.js';
import { GuardedSocket } from './guarded-socket.js';
import { IdentityClaims } from './identity-claims.js';
import { limitsWatches, ratesIn, type ClientLimits, type GuardOptions } from './limits.js';
import { isWithin, namedPaths, type NamedPath } from './named-paths.js';
import { opTestOf, type OpTest } from './op-selector.js';
import { PathGuard } from './path-guard.js';
import { Tenant } from './tenant.js';
import type { TokenBucket } from './token-bucket.js';
import { WatchMeter } from './watch-meter.js';
import { watchWish, type WatchWish } from './watch-wish.js';

export type { GuardedConnection } from './guarded.js';

export type RefusalReason = 'read-only' | 'denied' | 'rate' | 'size' | 'watches';

const PASS = 0;
const nobody: readonly never[] = [];
/** Identities of one session that are looked at. */
const IDENTITIES_MAX = 8;
/** A client that is held up is not heard from: its session must not end by that. */
const TIMEOUT_PART = 1 / 3;

export class Guards {
  readonly #options: GuardOptions;
  readonly #nowMs: () => number;
  readonly #addressLimits: ClientLimits;
  readonly #identityLimits: ClientLimits;
  readonly #paths: readonly PathGuard[];
  readonly #denied: OpTest | null;
  readonly #addresses = new Map<string, Tenant>();
  readonly #identities = new Map<string, Tenant>();
  readonly #classes: ReadonlyMap<string, Tenant>;
  readonly #countsWatches: boolean;
  readonly #paces: boolean;
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
    this.#countsWatches = limitsWatches(options);
    this.#paces = ratesIn(options).some(({ waitMs = 0 }) => waitMs > 0);
    this.#paths = (options.paths ?? []).map((rule) => new PathGuard(rule, nowMs()));
    this.#denied = options.denyOps === undefined ? null : opTestOf(options.denyOps);
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
    if (byClass?.isFull === true) {
      return `more than ${byClass.connections} connections of the class ${className}`;
    }
    let tenant = this.#addresses.get(address);
    if (tenant?.isFull === true) {
      return `more than ${tenant.connections} connections from one address`;
    }
    if (tenant === undefined) {
      tenant = new Tenant(address, this.#addressLimits, this.#nowMs());
      this.#addresses.set(address, tenant);
    }
    tenant.connections++;
    if (byClass !== null) byClass.connections++;
    this.#connections++;
    const guarded = new Guarded(address, isReadOnly, tenant, byClass);
    if (this.#countsWatches) {
      guarded.meter = new WatchMeter((path, change) => {
        for (const one of guarded.tenants()) one.watches += change;
        for (const one of this.#paths) one.countWatches(path, change);
      });
    }
    return guarded;
  }

  /**
   * What the session is to have as its client's socket, and who is to hear the socket; null: the socket
   * itself, nothing has to stand between.
   */
  stand(socket: Socket, connection: GuardedConnection, clock: Clock): GuardedSocket | null {
    const guarded = guardedOf(connection);
    if (!this.#paces && guarded.meter === null) return null;
    return new GuardedSocket(socket, guarded, clock, this.#paces);
  }

  release(connection: GuardedConnection): void {
    const guarded = guardedOf(connection);
    guarded.meter?.held.clear();
    guarded.meter = null;
    this.#connections--;
    const { byAddress, byClass, byIdentity } = guarded;
    if (byClass !== null) byClass.connections--;
    if (--byAddress.connections === 0) this.#addresses.delete(byAddress.key);
    for (const tenant of byIdentity) {
      if (--tenant.connections === 0) this.#identities.delete(tenant.key);
    }
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
    const { meter } = guarded;
    if (meter === null) return this.#judge(guarded, session, op, bytes, start, end);
    const verdict = this.#judge(guarded, session, op, bytes, start, end);
    const wish = verdict === PASS ? watchWish(this.#reader, op, bytes, start, end) : null;
    const before = meter.held.count;
    const beforeByPath = wish === null ? nobody : this.#paths.map(({ watches }) => watches);
    meter.onRequest(op, int32At(bytes, start), wish);
    if (wish === null || meter.held.count === before) return verdict;
    if (this.#mayWatch(guarded, meter, wish, beforeByPath)) return PASS;
    meter.withdraw();
    return this.#refuse('watches');
  }

  #judge(
    guarded: Guarded,
    session: SessionView,
    op: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    switch (op) {
      case OpCode.auth:
        if (this.#options.perIdentity !== undefined) {
          (guarded.claims ??= new IdentityClaims()).note(bytes, start, end);
        }
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
    if (this.#paths.length > 0) {
      for (const path of namedPaths(this.#reader, op, bytes, start, end) ?? []) {
        const verdict = this.#judgePath(guarded, session, path, end - start);
        if (verdict !== PASS) return verdict;
      }
    }
    if (op === OpCode.setWatches || op === OpCode.setWatches2) return PASS;
    for (const { limits, bucket } of guarded.tenants()) {
      if (limits.requestBytes !== undefined && end - start > limits.requestBytes) {
        return this.#refuse('size');
      }
      if (!this.#take(guarded, session, bucket, limits.rate?.waitMs)) return this.#refuse('rate');
    }
    return PASS;
  }

  #judgePath(guarded: Guarded, session: SessionView, path: NamedPath, length: number): number {
    const found = this.#paths.find((one) => one.isAbout(path));
    if (found === undefined) return PASS;
    const { rule, bucket } = found;
    if (rule.action === 'allow') return PASS;
    if (rule.action === 'deny') return this.#refuse('denied');
    // what a session has watched is not a request that it makes
    if (path.op === OpCode.setWatches || path.op === OpCode.setWatches2) return PASS;
    if (rule.requestBytes !== undefined && length > rule.requestBytes) return this.#refuse('size');
    const isFast = !this.#take(guarded, session, bucket, rule.rate?.waitMs);
    return isFast ? this.#refuse('rate') : PASS;
  }

  /** False: it comes too fast, and must not wait (any more). */
  #take(guarded: Guarded, session: SessionView, bucket: TokenBucket | null, waitMs = 0): boolean {
    if (bucket === null) return true;
    const nowMs = this.#nowMs();
    const { timeoutMs } = session;
    const mostMs = timeoutMs > 0 ? Math.min(waitMs, timeoutMs * TIMEOUT_PART) : waitMs;
    const delayMs = bucket.take(nowMs, guarded.waitedMs < mostMs ? mostMs : 0);
    if (delayMs === null) return false;
    if (delayMs > 0) guarded.heldUntilMs = Math.max(guarded.heldUntilMs, nowMs + delayMs);
    return true;
  }

  /** The watches that it asks for are counted already. `before`: of each path, without them. */
  #mayWatch(
    guarded: Guarded,
    { held }: WatchMeter,
    { op, watches }: WatchWish,
    before: readonly number[],
  ): boolean {
    const isAgain = op === OpCode.setWatches || op === OpCode.setWatches2;
    for (const { limits, watches: count } of guarded.tenants()) {
      if ((isAgain ? held.count : count) > (limits.watches ?? Infinity)) return false;
    }
    if (isAgain) {
      return this.#paths.every(({ rule: { prefix, watches: most } }) => {
        if (most === undefined) return true;
        let own = 0;
        for (const [path, count] of held.paths()) if (isWithin(path, prefix)) own += count;
        return own <= most;
      });
    }
    return watches.every(([path]) => {
      const named: NamedPath = { op, path, isWrite: false, isRecursive: false };
      const at = this.#paths.findIndex((one) => one.isAbout(named));
      const found = this.#paths[at];
      if (found === undefined || found.watches === before[at]) return true;
      return found.watches <= (found.rule.watches ?? Infinity);
    });
  }

  // ------------------------------------------------------------------ identities

  /** The server has answered an auth packet. Null: all is well; else why the connection is to end. */
  onAuthAnswered(connection: GuardedConnection, error: number): string | null {
    const guarded = guardedOf(connection);
    const claim = guarded.claims?.answered() ?? '';
    return claim === '' || error !== 0 ? null : this.#identify(guarded, claim);
  }

  /** Null: all is well; else why the connection is to end. */
  onCertificate(connection: GuardedConnection, subject: string): string | null {
    if (this.#options.perIdentity === undefined) return null;
    return this.#identify(guardedOf(connection), `x509:${subject}`);
  }

  #identify(guarded: Guarded, key: string): string | null {
    const { byIdentity } = guarded;
    if (byIdentity.length >= IDENTITIES_MAX || byIdentity.some((one) => one.key === key)) {
      return null;
    }
    let tenant = this.#identities.get(key);
    if (tenant === undefined) {
      tenant = new Tenant(key, this.#identityLimits, this.#nowMs());
      this.#identities.set(key, tenant);
    }
    tenant.connections++;
    tenant.watches += guarded.meter?.held.count ?? 0;
    guarded.byIdentity = [...byIdentity, tenant];
    const { connections } = this.#identityLimits;
    return connections !== undefined && tenant.connections > connections
      ? `more than ${connections} connections of one identity`
      : null;
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

function guardedOf(connection: GuardedConnection): Guarded {
  assert(connection instanceof Guarded, 'a connection that was admitted here');
  return connection;
}
