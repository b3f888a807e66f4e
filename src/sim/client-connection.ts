/**
 * The client's end of one connection: frames in both directions, the order of answers, pings, and the
 * patience with a server that says nothing. Everything seen goes into the connection's story.
 */
import { FrameDecoder } from '../protocol/frame.js';
import { errorName, ErrorCode } from '../protocol/errors.js';
import { OpCode, opName } from '../protocol/opcodes.js';
import { MalformedError, Reader } from '../protocol/reader.js';
import {
  ConnectResponse,
  responseCodecOf,
  WatcherEvent,
  type AuthPacket,
  type Codec,
} from '../protocol/records.js';
import { Writer } from '../protocol/writer.js';
import { SpecialXid } from '../protocol/xid.js';
import { formatZxid } from '../protocol/zxid.js';
import type { SocketHandler } from '../ports/network.js';
import type { ClientWorld } from './client.js';
import type { AuthId, SentRequest, Story } from './history.js';
import type { Moment } from './clock.js';
import type { SimSocket } from './network.js';
import { describeRequest, writeFrame, type RequestBody } from './requests.js';

export interface ConnectionEvents {
  onSession(sessionId: bigint, password: Uint8Array, timeoutMs: number): void;
  onExpired(): void;
  onReply(request: SentRequest, zxid: bigint, error: number, value: unknown): void;
  onEvent(type: number, path: string): void;
  onClosed(): void;
}

const FRAME_BYTES_MAX = 16 * 1024 * 1024;

export class ClientConnection implements SocketHandler {
  readonly socket: SimSocket;
  readonly story: Story;
  readonly #world: ClientWorld;
  readonly #events: ConnectionEvents;
  readonly #decoder = new FrameDecoder(FRAME_BYTES_MAX);
  readonly #reader = new Reader();
  #caller: AuthId[];
  #timeoutMs: number;
  #lastHeardMs: number;
  #lastSentMs: number;
  #watchdog: Moment | null = null;
  #state: 'handshake' | 'open' | 'closed' = 'handshake';
  #isSilent = false;
  /** Authentication and watches have been sent. */
  hasResumed = false;

  constructor(
    socket: SimSocket,
    story: Story,
    world: ClientWorld,
    timeoutMs: number,
    events: ConnectionEvents,
  ) {
    this.socket = socket;
    this.story = story;
    this.#world = world;
    this.#events = events;
    this.#timeoutMs = timeoutMs;
    this.#caller = [{ scheme: 'ip', id: story.address }];
    this.#lastHeardMs = this.#lastSentMs = world.timeline.nowMs;
    socket.serve(this);
    this.#watch();
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isSilent(): boolean {
    return this.#isSilent;
  }

  get unsentBytes(): number {
    return this.socket.pendingBytes;
  }

  // ------------------------------------------------------------------ out

  send(out: Writer, xid: number, body: RequestBody, isMangled: boolean): SentRequest {
    const request: SentRequest = {
      session: this.#session,
      xid,
      body,
      isMangled,
      caller: this.#caller,
      sentMs: this.#world.timeline.nowMs,
      floor: this.#world.history.floor,
    };
    writeFrame(out, xid, body, isMangled);
    this.story.unanswered.push(request);
    if (xid > 0) this.#world.history.sent(request);
    this.#world.trace.note(
      'M',
      this.story.client,
      '> server',
      xid,
      body.op,
      () => describeRequest(xid, body) + (isMangled ? ' (mangled)' : ''),
    );
    return request;
  }

  /** Authentication acts at once, for everything that is sent behind it. */
  prove(out: Writer, packet: AuthPacket, id: AuthId): void {
    this.send(out, SpecialXid.auth, { op: OpCode.auth, value: packet }, false);
    this.#caller = [...this.#caller, id];
  }

  /** Sends what has been written; the writer is free again. */
  flush(out: Writer): void {
    if (out.pos === 0) return;
    if (this.#state !== 'closed' && !this.#isSilent) {
      this.#lastSentMs = this.#world.timeline.nowMs;
      const bytes = out.take();
      this.socket.write(bytes, 0, bytes.length);
    }
    out.reset();
  }

  hangUp(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#watchdog?.cancel();
    this.socket.destroy();
  }

  /** Neither sends nor closes any more: to the server it looks like a machine that is gone. */
  fallSilent(): void {
    this.#isSilent = true;
    this.#watchdog?.cancel();
    this.socket.pause();
  }

  stopReading(forMs: number): void {
    this.socket.pause();
    this.#world.timeline.after(forMs, () => {
      this.hear();
    });
  }

  hear(): void {
    if (this.#state === 'closed' || this.#isSilent) return;
    this.#lastHeardMs = this.#world.timeline.nowMs;
    this.socket.resume();
  }

  /** Pings when it has nothing else to say, and gives up on a server that says nothing. */
  #watch(): void {
    const { timeline, trace } = this.#world;
    this.#watchdog = timeline.after(this.#timeoutMs / 6, () => {
      if (this.#state === 'closed' || this.#isSilent) return;
      const nowMs = timeline.nowMs;
      if (nowMs - this.#lastHeardMs > (this.#timeoutMs * 2) / 3 && !this.socket.isPaused) {
        trace.note('T', this.story.client, 'gives up on the server');
        this.hangUp();
        this.#events.onClosed();
        return;
      }
      if (this.#state === 'open' && nowMs - this.#lastSentMs > this.#timeoutMs / 3) this.#ping();
      this.#watch();
    });
  }

  #ping(): void {
    const out = new Writer(12);
    out.writeInt(8);
    out.writeInt(SpecialXid.ping);
    out.writeInt(OpCode.ping);
    this.flush(out);
  }

  // ------------------------------------------------------------------ in

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#state === 'closed') return;
    this.#lastHeardMs = this.#world.timeline.nowMs;
    this.#world.trace.bytes(bytes, start, end);
    const status = this.#decoder.push(bytes, start, end, this.#onFrame);
    if (status !== 'ok') this.#fail('frames', `a frame of impossible length (${status})`);
  }

  onDrain(): void {
    this.#lastSentMs = this.#world.timeline.nowMs;
  }

  onClose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#watchdog?.cancel();
    this.#world.trace.note('M', this.story.client, 'connection closed');
    this.#events.onClosed();
  }

  readonly #onFrame = (bytes: Uint8Array, start: number, end: number): boolean => {
    try {
      const reader = this.#reader.reset(bytes, start, end);
      if (this.#state === 'handshake') this.#onConnectResponse(reader);
      else this.#onMessage(reader, bytes, end);
    } catch (problem) {
      if (!(problem instanceof MalformedError)) throw problem;
      this.#fail('frames', `cannot be decoded: ${problem.message}`);
    }
    return this.#state !== 'closed';
  };

  #onConnectResponse(reader: Reader): void {
    const response = ConnectResponse.read(reader);
    const { story } = this;
    const atMs = this.#world.timeline.nowMs;
    const { timeOut: timeoutMs, sessionId } = response;
    story.isReadOnly = response.readOnly === true;
    if (timeoutMs === 0) {
      story.answer = { kind: 'expired', atMs };
      this.#world.trace.note('M', story.client, 'session expired');
      this.#events.onExpired();
      return;
    }
    story.answer = { kind: 'session', sessionId, timeoutMs, atMs };
    this.#timeoutMs = timeoutMs;
    this.#state = 'open';
    this.#world.trace.note(
      'M',
      story.client,
      'session',
      timeoutMs,
      Number(sessionId & 0xffffn),
      () => {
        return `0x${BigInt.asUintN(64, sessionId).toString(16)} timeout=${timeoutMs}`;
      },
    );
    this.#events.onSession(sessionId, response.passwd ?? new Uint8Array(16), timeoutMs);
  }

  #onMessage(reader: Reader, bytes: Uint8Array, end: number): void {
    const xid = reader.readInt();
    const zxid = reader.readLong();
    const error = reader.readInt();
    const { history, timeline } = this.#world;
    const atMs = timeline.nowMs;
    if (xid === SpecialXid.notification) {
      const event = WatcherEvent.read(reader);
      const path = event.path ?? '';
      history.received(this.story, { kind: 'event', zxid, type: event.type, path, atMs });
      this.#world.trace.note(
        'M',
        this.story.client,
        '< event',
        event.type,
        Number(zxid & 0xffffffn),
        () => `${formatZxid(zxid)} type=${event.type} ${path}`,
      );
      if (event.state !== 3) this.#fail('W6', `an event with state ${event.state}`);
      this.#events.onEvent(event.type, path);
      return;
    }
    if (xid === SpecialXid.ping) {
      history.received(this.story, { kind: 'ping', zxid, atMs });
      return;
    }
    const request = this.#takeRequest(xid);
    if (request === undefined) return;
    const body = history.keep(bytes, reader.pos, end);
    history.received(this.story, { kind: 'reply', request, zxid, error, bytes: body, atMs });
    this.#world.trace.note(
      'M',
      this.story.client,
      '< reply',
      xid,
      error,
      () => `${opName(request.body.op)} xid=${xid} ${formatZxid(zxid)} ${errorName(error)}`,
    );
    const codec = responseCodecOf(request.body.op as number) as Codec<unknown>;
    const value = error === ErrorCode.ok ? codec.read(reader) : null;
    this.#events.onReply(request, zxid, error, value);
  }

  /** Answers come in the order of the requests (C4); those to authentication may overtake. */
  #takeRequest(xid: number): SentRequest | undefined {
    const { unanswered } = this.story;
    const at = xid === SpecialXid.auth ? unanswered.findIndex((one) => one.xid === xid) : 0;
    const request = unanswered[at];
    if (request?.xid !== xid) {
      const next = unanswered.find((one) => one.xid !== SpecialXid.auth);
      if (next?.xid === xid) return unanswered.splice(unanswered.indexOf(next), 1)[0];
      this.#fail('C4', `a reply to xid ${xid} where ${next?.xid ?? 'none'} is due`);
      return undefined;
    }
    unanswered.splice(at, 1);
    return request;
  }

  get #session(): bigint {
    const { answer, asked } = this.story;
    return answer?.kind === 'session' ? answer.sessionId : asked.sessionId;
  }

  #fail(invariant: string, what: string): void {
    this.#world.fail(invariant, `${this.story.client}, connection ${this.story.id}: ${what}`);
    this.hangUp();
  }
}
