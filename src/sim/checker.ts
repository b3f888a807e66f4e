/**
 * The judgement at the end of a run: the durable log is replayed, transaction by transaction, by a
 * model that executes what clients asked for. Every transaction must be one that somebody asked for,
 * once, with the effect that the model finds; every answer must be the model's at the zxid that it
 * carries; every event must be owed, and every event owed must come in its place
 * (reliability.md 3.2: C1-C12, W1-W10, E3-E7, A1; 3.3: replay by zxid, unknown outcomes from the log).
 */
import { ErrorCode, errorName } from '../protocol/errors.js';
import { OpCode, opName } from '../protocol/opcodes.js';
import { formatZxid, type Zxid } from '../protocol/zxid.js';
import { recordPath } from '../server/ensemble/autopilot-record.js';
import { differenceOf, dumpModel, shared, type Dump } from './dump.js';
import type { Frame, History, Lapse, SentRequest, Story } from './history.js';
import type { LapseMark } from './lapse-check.js';
import type { LoggedTxn } from './log-witness.js';
import { Model, type ModelOptions, type WriteOutcome } from './model.js';
import { StoryCheck, type Verdicts } from './story-check.js';

export interface Recovery {
  readonly zxid: Zxid;
  readonly dump: Dump;
  readonly startNumber: number;
}

export interface CheckParts {
  readonly history: History;
  readonly txns: readonly LoggedTxn[];
  readonly base: Zxid;
  readonly options: ModelOptions;
  /** What the server had in memory after each start. */
  readonly recoveries: readonly Recovery[];
  /** Sessions that the server said had expired. */
  readonly announced: ReadonlySet<bigint>;
  readonly minTimeoutMs: number;
  readonly maxTimeoutMs: number;
  /** Where zxids are not counted through: how many transactions there are up to one. */
  readonly positionOf?: (zxid: Zxid) => number;
  /** Servers other than the one that was written to may lag behind it. */
  readonly mayLag?: boolean;
  /** Sessions may be a server's own until they own an ephemeral. */
  readonly hasLocalSessions?: boolean;
  /** Clients come through balancers, which may bring a session to another server by themselves. */
  readonly isRelayed?: boolean;
  fail(invariant: string, message: string): void;
}

/** What an operator's restore brings is in nobody's request; a story's has one znode more, by this name. */
export const restoredPrefix = '/restored-';

/** The leader itself, as its transactions tell it. */
const autopilots = { session: 0n, caller: [{ scheme: 'super', id: '' }] };

interface Placed {
  readonly position: number;
  readonly check: StoryCheck;
  readonly frame: Frame | LapseMark;
}

export function checkHistory(parts: CheckParts): Model {
  return new Checker(parts).run();
}

class Checker implements Verdicts {
  readonly #parts: CheckParts;
  readonly #model: Model;
  readonly #outcomes = new Map<
    SentRequest,
    { readonly zxid: Zxid; readonly outcome: WriteOutcome }
  >();
  readonly #closedAt = new Map<bigint, Zxid>();
  readonly #openedAt = new Map<bigint, Zxid>();
  /** The same, of the whole log. */
  readonly #opens = new Map<bigint, Zxid>();
  #checks: StoryCheck[] = [];

  constructor(parts: CheckParts) {
    this.#parts = parts;
    this.#model = new Model(parts.options);
    for (const { payload, zxid } of parts.txns) {
      const { type, clientId } = payload.header;
      if (type === OpCode.closeSession) this.#closedAt.set(clientId, zxid);
      if (type === OpCode.createSession) this.#opens.set(clientId, zxid);
    }
  }

  run(): Model {
    const { history, txns, recoveries } = this.#parts;
    for (const story of history.stories) this.#checkHandshake(story);
    const placed = this.#place();
    let next = 0;
    const recovered = new Map<number, Recovery[]>();
    for (const recovery of recoveries) {
      const position = this.#positionOf(recovery.zxid);
      const known = recovered.get(position);
      if (known === undefined) recovered.set(position, [recovery]);
      else known.push(recovery);
    }
    for (let position = 0; position <= txns.length; position++) {
      const txn = txns[position - 1];
      if (txn !== undefined) this.#apply(txn);
      for (const recovery of recovered.get(position) ?? []) this.#compare(recovery);
      for (; placed[next]?.position === position; next++) {
        const { check, frame } = placed[next]!;
        if (frame.kind === 'lapse' || frame.kind === 'lapsed') check.onMark(frame);
        else check.onFrame(frame);
      }
    }
    this.#checkSessions();
    return this.#model;
  }

  // ------------------------------------------------------------------ what stories may ask

  outcomeOf(request: SentRequest, zxid: Zxid): WriteOutcome | undefined {
    const found = this.#outcomes.get(request);
    return found?.zxid === zxid ? found.outcome : undefined;
  }

  get mayLag(): boolean {
    return this.#parts.mayLag ?? false;
  }

  isEnded(session: bigint): boolean {
    return this.#closedAt.has(session);
  }

  isEndedAfter(session: bigint, zxid: Zxid): boolean {
    const closedAt = this.#closedAt.get(session);
    return closedAt !== undefined && closedAt > zxid;
  }

  get isRelayed(): boolean {
    return this.#parts.isRelayed === true;
  }

  isLocal(session: bigint): boolean {
    return this.#parts.hasLocalSessions === true && !this.#opens.has(session);
  }

  fail(invariant: string, message: string): void {
    this.#parts.fail(invariant, message);
  }

  // ------------------------------------------------------------------ frames in their places

  #positionOf(zxid: Zxid): number {
    return this.#parts.positionOf?.(zxid) ?? Number(zxid - this.#parts.base);
  }

  /** All frames by the state they show; those that show none go with their neighbours. */
  #place(): Placed[] {
    const placed: Placed[] = [];
    const last = this.#parts.txns.length;
    for (const story of this.#parts.history.stories) {
      if (story.isReadOnly && !this.#isOfHistory(story)) continue;
      const check = new StoryCheck(story, this.#model, this);
      this.#checks.push(check);
      const lapses = this.#parts.history.lapses.get(story.id) ?? [];
      let position = 0;
      /** Without what is only supposed to be shown. */
      let shown = 0;
      let lapse: Lapse | null = null;
      let left = 0;
      for (let i = 0; i < story.frames.length; i++) {
        const frame = story.frames[i]!;
        for (const next of lapses) {
          if (next.from !== i) continue;
          lapse = next;
          left = next.told;
          placed.push({ position, check, frame: { kind: 'lapse', lapse, isEnd: false } });
          if (next.until === null) continue;
          position = Math.min(Math.max(position, this.#positionOf(next.until)), last);
          placed.push({ position, check, frame: { kind: 'lapse', lapse, isEnd: true } });
        }
        if (lapse !== null && left > 0 && frame.kind === 'event' && frame.zxid === -1n) {
          left--;
          placed.push({ position, check, frame: { kind: 'lapsed', lapse, event: frame } });
          continue;
        }
        const own = this.#ownPosition(frame);
        const found = own ?? this.#nextPosition(story, i) ?? position;
        if (found < shown) {
          this.fail(
            'C4',
            `${story.client}, connection ${story.id}: ${formatZxid(frame.zxid)} after a later one`,
          );
        }
        if (found > last) {
          this.fail(
            'C6',
            `${story.client}, connection ${story.id}: ${formatZxid(frame.zxid)} was shown and is not in the log`,
          );
        }
        shown = Math.max(shown, found);
        position = Math.min(Math.max(position, found), last);
        placed.push({ position, check, frame });
      }
    }
    // sort is stable: frames of one connection stay in their order
    return placed.sort((a, b) => a.position - b.position);
  }

  /**
   * A server without a quorum shows one state, all the time. Was that never committed (as far as it is
   * known that it was not), there is no telling what is to be seen in it.
   */
  #isOfHistory(story: Story): boolean {
    const zxids = new Set<Zxid>();
    for (const frame of story.frames) if (this.#ownPosition(frame) !== null) zxids.add(frame.zxid);
    if (zxids.size > 1) {
      const shown = [...zxids].map((zxid) => formatZxid(zxid)).join();
      const where = `${story.client}, connection ${story.id}`;
      this.fail('RO', `${where}: without a quorum it is shown ${shown}`);
    }
    return [...zxids].every((zxid) => this.#positionOf(zxid) <= this.#parts.txns.length);
  }

  #ownPosition(frame: Frame): number | null {
    if (frame.kind === 'reply' && frame.request.body.op === OpCode.auth) return null;
    return frame.zxid === -1n ? null : this.#positionOf(frame.zxid);
  }

  /** Of an event without a zxid: that of the answer to setWatches behind it. */
  #nextPosition(story: Story, from: number): number | null {
    if (story.frames[from]?.kind !== 'event') return null;
    for (let i = from + 1; i < story.frames.length; i++) {
      const frame = story.frames[i]!;
      const own = this.#ownPosition(frame);
      if (own !== null) return own;
    }
    return null;
  }

  // ------------------------------------------------------------------ transactions

  #apply(txn: LoggedTxn): void {
    const { header, body, digest } = txn.payload;
    const model = this.#model;
    model.changes = [];
    const request = this.#parts.history.requestOf(header.clientId, header.cxid);
    switch (body.type) {
      case OpCode.createSession:
        if (this.#openedAt.has(header.clientId))
          this.#failAt(txn, 'E4', 'a session id is used twice');
        this.#openedAt.set(header.clientId, txn.zxid);
        model.createSession(header.clientId, body.txn.timeOut);
        break;
      case OpCode.closeSession:
        this.#closeSession(txn, body.txn?.paths2Delete ?? null, request);
        break;
      case OpCode.deleteContainer: {
        const path = body.txn.path ?? '';
        const reason = model.collect(path, txn.zxid, header.time);
        if (reason !== null) this.#failAt(txn, 'TTL', `${path} was collected, but ${reason}`);
        break;
      }
      case OpCode.reconfig:
        model.reconfigure(body.txn.data, txn.zxid, header.time);
        break;
      default:
        this.#execute(txn, request);
    }
    if (digest !== null && BigInt.asUintN(64, digest.treeDigest) !== model.digest) {
      this.#failAt(txn, 'S20', 'the digest is not that of the model');
    }
    // a closeSession that does not list what it deletes says nothing about the order either
    const isOrdered = body.type !== OpCode.closeSession || body.txn !== null;
    for (const check of this.#checks) check.onChanges(model.changes, txn.zxid, isOrdered);
    this.#checks = this.#checks.filter((check) => check.left > 0);
  }

  #execute(txn: LoggedTxn, request: SentRequest | undefined): void {
    const { header, body } = txn.payload;
    const error = body.type === OpCode.error ? body.txn.err : ErrorCode.ok;
    if (request === undefined) {
      if (header.clientId === 0n && this.#isAutopilots(txn)) return;
      // the collector's own request, for a znode that somebody has deleted or used since
      const isCollectors = header.clientId === 0n && body.type === OpCode.error;
      if (!isCollectors) this.#failAt(txn, 'S3', `${opName(header.type)} was asked for by nobody`);
      return;
    }
    const before = this.#outcomes.get(request)?.outcome.error;
    if (before !== undefined && !this.#isStale(before)) {
      // what a server that has lost the session sends on all the same
      if (this.#isStale(error)) return;
      this.#failAt(txn, 'S23', 'a request was executed twice');
    }
    if (txn.zxid <= request.floor) {
      this.#failAt(txn, 'C1', `it was asked for after ${formatZxid(request.floor)} had been shown`);
    }
    // nothing in the log says that it began, and nothing that it ended
    const isLocal = this.#parts.hasLocalSessions && !this.#openedAt.has(header.clientId);
    if (isLocal) this.#model.sessions.set(header.clientId, 0);
    const outcome = this.#isBarred(error, header.clientId)
      ? { error, value: null }
      : request.isMangled
        ? { error: ErrorCode.marshallingError, value: null }
        : this.#model.write(request.body, {
            zxid: txn.zxid,
            timeMs: header.time,
            session: header.clientId,
            caller: request.caller,
          });
    if (isLocal) this.#model.sessions.delete(header.clientId);
    this.#outcomes.set(request, { zxid: txn.zxid, outcome });
    if (outcome.error !== error) {
      this.#failAt(
        txn,
        'C2',
        `${opName(request.body.op)} ended with ${errorName(error)}, due is ${errorName(outcome.error)}`,
      );
    } else if (error === ErrorCode.ok && body.type !== (request.body.op as number)) {
      this.#failAt(txn, 'C2', `${opName(request.body.op)} became ${opName(body.type)}`);
    }
  }

  /** What a leader keeps of the servers that it has taken out nobody asked for, nor what is restored. */
  #isAutopilots({ zxid, payload: { header, body } }: LoggedTxn): boolean {
    const own = { ...autopilots, zxid, timeMs: header.time };
    if (body.type !== OpCode.create && body.type !== OpCode.setData) return false;
    const { path, data } = body.txn;
    if (path !== recordPath && path?.startsWith(restoredPrefix) !== true) return false;
    const model = this.#model;
    model.sessions.set(own.session, 0);
    const { error } =
      body.type === OpCode.create
        ? model.write({ op: OpCode.create, value: { ...body.txn, flags: 0 } }, own)
        : model.write({ op: OpCode.setData, value: { path, data, version: -1 } }, own);
    model.sessions.delete(own.session);
    return error === ErrorCode.ok;
  }

  /** It was refused because the session was elsewhere: whoever brought it there may ask again. */
  #isStale(error: number): boolean {
    return this.#parts.isRelayed === true && error === ErrorCode.sessionMoved;
  }

  /** Several servers: the session is at another by now, or over before anybody looks further. */
  #isBarred(error: number, session: bigint): boolean {
    if (!this.mayLag) return false;
    if (error === ErrorCode.sessionMoved) return true;
    return error === ErrorCode.sessionExpired && !this.#model.sessions.has(session);
  }

  #closeSession(
    txn: LoggedTxn,
    listed: readonly (string | null)[] | null,
    request: SentRequest | undefined,
  ): void {
    const { clientId } = txn.payload.header;
    const model = this.#model;
    const isAsked = request?.body.op === OpCode.closeSession;
    if (!isAsked && !this.#parts.announced.has(clientId)) {
      this.#failAt(txn, 'E1', 'a session was closed that neither asked for it nor expired');
    }
    // a client may say goodbye to a session that has just expired; nobody else may end one twice
    if (!isAsked && !model.sessions.has(clientId)) {
      this.#failAt(txn, 'E4', 'a session was closed that does not live');
    }
    const owned = model.ephemeralsOf(clientId);
    const paths = listed === null ? owned : listed.map((path) => path ?? '');
    if (paths.toSorted().join() !== owned.toSorted().join()) {
      this.#failAt(txn, 'E3', `ephemerals [${owned.join()}] should go, [${paths.join()}] went`);
    }
    model.closeSession(
      clientId,
      paths.filter((path) => model.nodes.has(path)),
      txn.zxid,
    );
    if (isAsked) {
      const outcome: WriteOutcome = { error: ErrorCode.ok, value: {} };
      this.#outcomes.set(request, { zxid: txn.zxid, outcome });
    }
  }

  #compare(recovery: Recovery): void {
    const isLocal = this.#parts.options.configText !== undefined;
    const own = (dump: Dump): Dump => (isLocal ? shared(dump) : dump);
    const due = own(dumpModel(this.#model));
    const difference = differenceOf(due, 'model', own(recovery.dump), 'memory');
    if (difference !== null) {
      this.fail(
        'S17',
        `after start ${recovery.startNumber} at ${formatZxid(recovery.zxid)}: ${difference}`,
      );
    }
  }

  // ------------------------------------------------------------------ sessions

  #checkHandshake(story: Story): void {
    const { answer, asked } = story;
    if (answer === null) return;
    const say = (invariant: string, what: string): void => {
      this.fail(invariant, `${story.client}, connection ${story.id}: ${what}`);
    };
    if (answer.kind === 'expired') {
      if (asked.sessionId === 0n) say('E4', 'a new session was refused as expired');
      else if (story.isReadOnly && this.#parts.hasLocalSessions === true) return;
      else if (asked.isPasswordRight && !this.#mayHaveEnded(asked.sessionId, story)) {
        say('E1', 'was told that its session had expired; it had not');
      }
      return;
    }
    const { minTimeoutMs, maxTimeoutMs } = this.#parts;
    const due = Math.min(Math.max(asked.timeoutMs, minTimeoutMs), maxTimeoutMs);
    if (answer.timeoutMs !== due)
      say('E1', `timeout ${answer.timeoutMs} was granted, due is ${due}`);
    if (asked.sessionId === 0n) return;
    if (!asked.isPasswordRight) say('E6', 'a session was resumed with a wrong password');
    if (answer.sessionId !== asked.sessionId)
      say('E4', 'another session was given than was asked for');
    const closedAt = this.#closedAt.get(asked.sessionId);
    if (closedAt !== undefined && closedAt <= story.floor && !this.mayLag) {
      say('E4', `a session was resumed that had ended at ${formatZxid(closedAt)}`);
    }
  }

  /** A server's own session ends with the server's role; its client cannot see that it was one. */
  #mayHaveEnded(session: bigint, story: Story): boolean {
    if (this.isEnded(session)) return true;
    const openedAt = this.#opens.get(session);
    return (
      this.#parts.hasLocalSessions === true && (openedAt === undefined || openedAt > story.floor)
    );
  }

  #checkSessions(): void {
    for (const { answer, client, id, isReadOnly } of this.#parts.history.stories) {
      if (isReadOnly) continue;
      if (answer?.kind === 'session' && this.isLocal(answer.sessionId)) continue;
      if (answer?.kind !== 'session' || this.#openedAt.has(answer.sessionId)) continue;
      this.fail('S14', `${client}, connection ${id}: its session is not in the log`);
    }
  }

  #failAt(txn: LoggedTxn, invariant: string, what: string): void {
    const { clientId, cxid, type } = txn.payload.header;
    const session = BigInt.asUintN(64, clientId).toString(16);
    this.fail(
      invariant,
      `${formatZxid(txn.zxid)} (${opName(type)}, session 0x${session}, cxid ${cxid}): ${what}`,
    );
  }
}
