/**
 * Judges what one connection was told, frame by frame, while the model stands where the frame says it
 * stands: answers and their order, events and theirs.
 */
import { ErrorCode, errorName } from '../protocol/errors.js';
import { OpCode, opName } from '../protocol/opcodes.js';
import { Reader } from '../protocol/reader.js';
import { responseCodecOf, type Codec, type MultiResult } from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';
import { formatZxid, type Zxid } from '../protocol/zxid.js';
import type { AuthId, Frame, SentRequest, Story } from './history.js';
import { LapseCheck, type LapseMark } from './lapse-check.js';
import { readModel } from './model-reads.js';
import { ModelWatches, type OwedEvent } from './model-watches.js';
import { configPath, type Change, type Model, type WriteOutcome } from './model.js';
import { describeRequest } from './requests.js';

export interface Verdicts {
  /** What the transaction did that this request became; undefined: it became none. */
  outcomeOf(request: SentRequest, zxid: Zxid): WriteOutcome | undefined;
  /** What a read shows may be older than what others have been shown; never older than before. */
  readonly mayLag: boolean;
  /** Between clients and servers there are balancers. */
  readonly isRelayed: boolean;
  /** The session ended, sooner or later. */
  isEnded(session: bigint): boolean;
  /** That was after this zxid. */
  isEndedAfter(session: bigint, zxid: Zxid): boolean;
  /** A server had it to itself, from its beginning to its end. */
  isLocal(session: bigint): boolean;
  fail(invariant: string, message: string): void;
}

/** An event that must come; where nobody promises an order, in any among its transaction's. */
type Owed = OwedEvent & { readonly zxid: Zxid; readonly isOrdered: boolean };
type Reply = Extract<Frame, { kind: 'reply' }>;

export class StoryCheck {
  readonly story: Story;
  readonly #model: Model;
  readonly #verdicts: Verdicts;
  readonly #watches: ModelWatches;
  readonly #owed: Owed[] = [];
  readonly #catchUp: OwedEvent[] = [];
  readonly #lapses: LapseCheck;
  #caller: readonly AuthId[];
  /** Of the last event. */
  #toldZxid: Zxid = 0n;
  /** Frames that are still to be judged. */
  left: number;

  constructor(story: Story, model: Model, verdicts: Verdicts) {
    this.story = story;
    this.#model = model;
    this.#verdicts = verdicts;
    this.#watches = new ModelWatches(model);
    this.#lapses = new LapseCheck(this.#watches, (invariant, what) => {
      this.#fail(invariant, what);
    });
    this.#caller = [{ scheme: 'ip', id: story.address }];
    this.left = story.frames.length;
  }

  /** The model has moved on by one transaction. */
  onChanges(changes: readonly Change[], zxid: Zxid, isOrdered: boolean): void {
    if (this.left === 0 || this.#watches.isEmpty || this.#lapses.covers(zxid)) return;
    for (const change of changes) {
      for (const event of this.#watches.fire(change, this.#caller)) {
        this.#owed.push({ ...event, zxid, isOrdered });
      }
    }
  }

  onMark(mark: LapseMark): void {
    if (mark.kind === 'lapsed') this.left--;
    const late = this.#owed.find(({ zxid }) => zxid !== this.#toldZxid);
    if (late !== undefined) {
      const what = `event ${late.type} of ${late.path} for ${formatZxid(late.zxid)}`;
      this.#fail('W3', `${what} had not come before what others told later`);
      this.#owed.length = 0;
    }
    this.#lapses.onMark(mark, this.#owed);
  }

  onFrame(frame: Frame): void {
    this.left--;
    this.#lapses.onFrame(frame);
    if (frame.kind === 'event') {
      this.#onEvent(frame.type, frame.path, frame.zxid);
      return;
    }
    const isOutOfLine = frame.kind === 'reply' && frame.request.body.op === OpCode.auth;
    const owed = this.#owed[0];
    if (owed !== undefined && !isOutOfLine && !this.#isBetweenEvents(frame, owed)) {
      const what = `event ${owed.type} of ${owed.path} for ${formatZxid(owed.zxid)}`;
      this.#fail('W3', `${what} had not come before ${describeFrame(frame)}`);
      this.#owed.length = 0;
    }
    if (frame.kind === 'reply') this.#onReply(frame);
    if (this.#catchUp.length > 0 && !isOutOfLine) {
      this.#fail('W5', `events without a zxid came before ${describeFrame(frame)}`);
      this.#catchUp.length = 0;
    }
  }

  /** A balancer answers a ping while it looks for the rest of a transaction's events. */
  #isBetweenEvents({ kind, zxid }: Frame, owed: Owed): boolean {
    if (!this.#verdicts.isRelayed || kind !== 'ping') return false;
    return owed.zxid === zxid && this.#toldZxid === zxid;
  }

  #onEvent(type: number, path: string, zxid: Zxid): void {
    this.#toldZxid = zxid;
    if (zxid === -1n) {
      this.#catchUp.push({ type, path });
      return;
    }
    const is = (one: Owed): boolean => one.type === type && one.path === path && one.zxid === zxid;
    const owed = this.#owed[0];
    const at = owed?.isOrdered === false ? this.#owed.findIndex(is) : 0;
    if (owed !== undefined && at >= 0 && is(this.#owed[at]!)) {
      this.#owed.splice(at, 1);
      return;
    }
    if (this.#verdicts.isRelayed && this.#watches.takeUntold({ type, path })) return;
    const due = owed === undefined ? 'none is due' : `due is ${owed.type} of ${owed.path}`;
    this.#fail('W1', `event ${type} of ${path} for ${formatZxid(zxid)} came, ${due}`);
  }

  #onReply(reply: Reply): void {
    const { request, zxid, error } = reply;
    const { body } = request;
    if (body.op === OpCode.auth) {
      if (error !== ErrorCode.ok) this.#fail('A1', `authentication failed: ${errorName(error)}`);
      return;
    }
    this.#caller = request.caller;
    if (this.story.isReadOnly && this.#onReadOnly(reply)) return;
    if (body.op === OpCode.closeSession && this.#isEndOfItsOwn(reply)) {
      this.#expect(reply, ErrorCode.ok, {});
      return;
    }
    const isRefusal = error === ErrorCode.unimplemented && zxid === -1n;
    // what cannot be read goes to nobody, so it says nothing about the others either
    const goesToLeader = !request.isMangled && (isWrite(body.op) || body.op === OpCode.sync);
    const isCurrent = !this.#verdicts.mayLag || (goesToLeader && !this.story.isReadOnly);
    if (!isRefusal && isCurrent && zxid < request.floor) {
      this.#fail(
        'C6',
        `${name(request)} was answered at ${formatZxid(zxid)}, and ${formatZxid(request.floor)} had been shown before it was sent`,
      );
    }
    if (request.isMangled) {
      this.#expect(reply, ErrorCode.marshallingError, null);
      return;
    }
    if (body.op === OpCode.setWatches || body.op === OpCode.setWatches2) {
      this.#onSetWatches(reply);
      return;
    }
    const written = this.#verdicts.outcomeOf(request, zxid);
    if (written !== undefined) {
      this.#expect(reply, written.error, written.value);
      return;
    }
    if (isWrite(body.op)) {
      this.#fail(
        'C2',
        `${name(request)} was answered at ${formatZxid(zxid)}, which is not its transaction`,
      );
      return;
    }
    if (this.#isOver(reply) || this.#isAboutUntold(reply)) return;
    const session = request.session;
    const outcome = readModel(this.#model, body, {
      session,
      caller: request.caller,
      watches: this.#watches,
    });
    this.#expect(reply, outcome.error, outcome.value);
  }

  /**
   * The session's end has no transaction, or one that its answer does not name: a balancer that finds a
   * session gone says so to a client that asked for nothing else.
   */
  #isEndOfItsOwn({ request: { session }, zxid }: Reply): boolean {
    if (this.#verdicts.isLocal(session)) return true;
    return this.#verdicts.isRelayed && this.#verdicts.isEndedAfter(session, zxid);
  }

  /**
   * A watch that was spent without a word is held again where a balancer brings the session: only the
   * server before knew that it was spent.
   */
  #isAboutUntold({ request: { body }, error }: Reply): boolean {
    if (!this.#verdicts.isRelayed) return false;
    if (body.op !== OpCode.checkWatches && body.op !== OpCode.removeWatches) return false;
    const { path } = body.value;
    if (!this.#watches.mayStillHold(path ?? '')) return false;
    if (body.op === OpCode.removeWatches) this.#watches.remove(path ?? '', body.value.type);
    return error === ErrorCode.ok || error === ErrorCode.noWatcher;
  }

  /** Without a quorum nothing is agreed upon: neither writes nor syncs. Reads are judged as ever. */
  #onReadOnly(reply: Reply): boolean {
    const { op } = reply.request.body;
    if (op === OpCode.closeSession) this.#expect(reply, ErrorCode.ok, {});
    else if (isWrite(op) || op === OpCode.sync) this.#expect(reply, ErrorCode.notReadOnly, null);
    else return false;
    return true;
  }

  /** A session that is being closed gets no more answers; it must end then. */
  #isOver(reply: Reply): boolean {
    if (reply.error !== ErrorCode.sessionExpired) return false;
    if (!this.#verdicts.isEnded(reply.request.session)) {
      this.#fail('E4', `${name(reply.request)} was told that its session had expired; it had not`);
    }
    return true;
  }

  #onSetWatches(reply: Reply): void {
    const { body } = reply.request;
    if (body.op !== OpCode.setWatches && body.op !== OpCode.setWatches2) return;
    if (this.#isOver(reply)) return;
    const expected = this.#watches.setAgain(body.value);
    const seen = this.#catchUp.map((event) => `${event.type} ${event.path}`).join(', ');
    const owed = expected.map((event) => `${event.type} ${event.path}`).join(', ');
    if (seen !== owed) this.#fail('W5', `after setWatches came [${seen}], due was [${owed}]`);
    this.#catchUp.length = 0;
    this.#expect(reply, ErrorCode.ok, {});
  }

  #expect(reply: Reply, error: number, value: unknown): void {
    const { request } = reply;
    if (reply.error !== error) {
      const due = errorName(error);
      this.#fail(
        'C2',
        `${name(request)} at ${formatZxid(reply.zxid)} got ${errorName(reply.error)}, due is ${due}`,
      );
      return;
    }
    const codec = responseCodecOf(request.body.op as number) as Codec<unknown>;
    let got = error === ErrorCode.ok ? inOrder(codec, request, reply.bytes) : reply.bytes;
    if (error === ErrorCode.ok && this.#model.options.configText !== undefined) {
      got = withoutLocalTime(codec, request, got);
    }
    if (error === ErrorCode.ok && this.#model.options.isReconfigured === true) {
      if (concernsConfig(request)) return;
    }
    if (error === ErrorCode.ok ? isEncoding(codec, value ?? {}, got) : got.length === 0) return;
    const invariant = isWrite(request.body.op) ? 'C2' : 'C3';
    const seen = error === ErrorCode.ok ? show(codec, reply.bytes) : `${reply.bytes.length} bytes`;
    const wanted = error === ErrorCode.ok ? text(value) : 'nothing';
    this.#fail(
      invariant,
      `${name(request)} at ${formatZxid(reply.zxid)} got ${seen}, due is ${wanted}`,
    );
  }

  #fail(invariant: string, what: string): void {
    this.#verdicts.fail(invariant, `${this.story.client}, connection ${this.story.id}: ${what}`);
  }
}

export function isWrite(op: number): boolean {
  switch (op) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
    case OpCode.delete:
    case OpCode.setData:
    case OpCode.setACL:
    case OpCode.multi:
    case OpCode.closeSession:
      return true;
    default:
      return false;
  }
}

const encoding = new Writer(256);

function encode(codec: Codec<unknown>, value: unknown): Uint8Array {
  encoding.reset();
  codec.write(encoding, value);
  return encoding.take();
}

function isEncoding(codec: Codec<unknown>, value: unknown, bytes: Uint8Array): boolean {
  encoding.reset();
  codec.write(encoding, value);
  const { bytes: due, pos: length } = encoding;
  if (bytes.length !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[i] !== due[i]) return false;
  return true;
}

/** Lists of names have no order that anybody promises: theirs is the alphabet's, as the model's. */
function inOrder(codec: Codec<unknown>, request: SentRequest, bytes: Uint8Array): Uint8Array {
  switch (request.body.op) {
    case OpCode.getChildren:
    case OpCode.getChildren2:
    case OpCode.getEphemerals:
    case OpCode.multiRead:
      break;
    default:
      return bytes;
  }
  const value = codec.read(new Reader().reset(bytes, 0, bytes.length)) as Record<string, unknown>;
  const sorted: Record<string, unknown> = { ...value };
  for (const key of ['children', 'ephemerals']) {
    if (Array.isArray(value[key])) sorted[key] = (value[key] as string[]).toSorted();
  }
  if (Array.isArray(value['results'])) {
    sorted['results'] = (value['results'] as MultiResult[]).map((one) =>
      one.type === OpCode.getChildren
        ? {
            ...one,
            result: { children: (one.result.children ?? []).map((child) => child ?? '').sort() },
          }
        : one,
    );
  }
  return encode(codec, sorted);
}

/** What a server shows of that depends on when it took it over. */
function concernsConfig({ body }: SentRequest): boolean {
  const isMeant = (asked: unknown): boolean => (asked as { path?: string }).path === configPath;
  if (body.op === OpCode.multiRead) return body.value.ops.some(({ request }) => isMeant(request));
  return !isWrite(body.op) && isMeant(body.value);
}

/** When a server wrote its configuration is its own affair. */
function withoutLocalTime(
  codec: Codec<unknown>,
  { body }: SentRequest,
  bytes: Uint8Array,
): Uint8Array {
  const isMeant = (asked: unknown): boolean => (asked as { path?: string }).path === configPath;
  const read = (): Record<string, unknown> =>
    codec.read(new Reader().reset(bytes, 0, bytes.length)) as Record<string, unknown>;
  if (body.op === OpCode.multiRead) {
    if (!body.value.ops.some(({ request }) => isMeant(request))) return bytes;
    const results = (read()['results'] as MultiResult[]).map((one, i) => {
      const isConfig = one.type === OpCode.getData && isMeant(body.value.ops[i]?.request);
      return isConfig ? { ...one, result: timeless(one.result) } : one;
    });
    return encode(codec, { results });
  }
  return !isWrite(body.op) && isMeant(body.value) ? encode(codec, timeless(read())) : bytes;
}

function timeless<T>(record: T): T {
  const { stat } = record as { stat?: object };
  return stat === undefined ? record : { ...record, stat: { ...stat, mtime: 0n } };
}

function show(codec: Codec<unknown>, bytes: Uint8Array): string {
  try {
    return text(codec.read(new Reader().reset(bytes, 0, bytes.length)));
  } catch {
    return `${bytes.length} bytes that are no ${codec.name}`;
  }
}

function text(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return part.toString();
    return part instanceof Uint8Array ? [...part].join(' ') : part;
  });
}

function name(request: SentRequest): string {
  return describeRequest(request.xid, request.body).slice(0, 200);
}

function describeFrame(frame: Frame): string {
  const at = formatZxid(frame.zxid);
  return frame.kind === 'reply'
    ? `the reply to ${opName(frame.request.body.op)} xid=${frame.request.xid} at ${at}`
    : `a ${frame.kind} at ${at}`;
}
