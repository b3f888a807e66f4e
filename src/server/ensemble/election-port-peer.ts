/**
 * One other server as the election port sees it: the connection to it, the attempts to get one, and
 * the messages for it. There is one connection for a pair of servers, and the one with the larger
 * number is whose call counts; the other may call, and says with its hello only "call me back".
 *
 * A message is worth nothing once there is a later one, so one place is enough for what waits. And
 * because a connection can die with a message in it, the last one is sent again on the next.
 */
import type { Clock, Timer } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import type { Network, Socket, SocketHandler } from '../../ports/network.js';
import { FrameDecoder } from '../../protocol/frame.js';
import type { HostAndPort } from '../../protocol/peer/hello.js';
import type { HearingView } from '../commands/ensemble-view.js';

/** What the port lends to each of its peers. */
export interface PeerSurroundings {
  readonly network: Network;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly mySid: number;
  readonly connectTimeoutMs: number;
  /** What an opened connection begins with. */
  hello(): Uint8Array;
  /** Of the configuration now; empty: it is not in it. */
  addressesOf(sid: number): readonly HostAndPort[];
  /** The bytes are lent. */
  onFrame(peer: ElectionPeer, bytes: Uint8Array, start: number, end: number): void;
  onConnected(peer: ElectionPeer): void;
  /** What there is to say now, framed; null: nothing. */
  word(): Uint8Array | null;
  onDisconnected(peer: ElectionPeer): void;
  /** It is in no configuration, and there is no connection to it nor an attempt any more. */
  onForgotten(peer: ElectionPeer): void;
}

/** Between attempts; doubled after each until the largest. */
const pauseMsFirst = 50;
const pauseMsLargest = 1000;

/** Longest message, as Apache has it. */
const frameBytesMax = 512 * 1024;

interface Attempt {
  readonly startedMs: number;
  /** Another one counts now, or none. */
  isOver: boolean;
}

export class ElectionPeer {
  readonly sid: number;
  readonly #port: PeerSurroundings;
  #connection: PeerConnection | null = null;
  #connectedMs = 0;
  #heardMs = 0;
  #attempt: Attempt | null = null;
  #retry: Timer | null = null;
  #pauseMs = pauseMsFirst;
  /** Which of its addresses is next. */
  #turn = 0;
  /** Attempts in a row that failed. */
  #failures = 0;
  /** Where it said that it can be called. */
  #told: readonly HostAndPort[] = [];
  #isGone = false;
  #waiting: Uint8Array | null = null;
  #hasSpoken = false;

  constructor(sid: number, port: PeerSurroundings) {
    this.sid = sid;
    this.#port = port;
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  /** Null: there is no connection. */
  get hearing(): HearingView | null {
    if (this.#connection === null) return null;
    const { remoteAddress: address, remotePort: port } = this.#connection.socket;
    return { address, port, sinceMs: this.#connectedMs, heardMs: this.#heardMs };
  }

  /** A message with its length in front; the peer keeps it, and nobody may change it. */
  send(frame: Uint8Array): void {
    this.#waiting = frame;
    if (this.#connection !== null) this.#flush();
    else this.connect();
  }

  /** If it is not connected. An attempt that is under way or due is left alone. */
  connect(): void {
    if (this.#connection !== null || this.#attempt !== null || this.#retry !== null) return;
    this.#dial();
  }

  /** It has the smaller number and called: for it there is no connection, whatever we think. */
  callBack(told: readonly HostAndPort[]): void {
    this.#told = told;
    this.#drop();
    const now = this.#port.clock.monotonicMs();
    // it lives and can be reached, so an attempt that got no answer for so long will get none
    if (this.#attempt !== null && now - this.#attempt.startedMs > pauseMsLargest) this.#giveUp();
    if (this.#attempt === null) this.#dial();
  }

  /** It has the larger number and called: this is the connection now. Feed it what the socket says. */
  adopt(socket: Socket): SocketHandler {
    this.#giveUp();
    return this.#use(socket);
  }

  /** Ends everything; nothing is told any more. */
  leave(): void {
    this.#isGone = true;
    this.#giveUp();
    this.#cancelRetry();
    this.#connection?.socket.destroy();
    this.#connection = null;
  }

  // ------------------------------------------------------------------ getting a connection

  #dial(tried = 0): void {
    if (this.#isGone) return;
    this.#cancelRetry();
    const { network, clock, connectTimeoutMs } = this.#port;
    const addresses = this.#addresses();
    const address = addresses[this.#turn % Math.max(1, addresses.length)];
    if (address === undefined) {
      this.#endAttempts(0);
      return;
    }
    const attempt: Attempt = { startedMs: clock.monotonicMs(), isOver: false };
    this.#attempt = attempt;
    const { host, port } = address;
    network
      .connect({ host, port, timeoutMs: connectTimeoutMs }, (socket) =>
        this.#onOpen(attempt, socket),
      )
      .catch((error: unknown) => {
        if (!attempt.isOver) this.#onFailure(address, error, tried + 1, addresses.length);
      });
  }

  #addresses(): readonly HostAndPort[] {
    const configured = this.#port.addressesOf(this.sid);
    return configured.length > 0 ? configured : this.#told;
  }

  #onOpen(attempt: Attempt, socket: Socket): SocketHandler {
    if (attempt.isOver) {
      socket.destroy();
      return nobody;
    }
    this.#giveUp();
    this.#failures = 0;
    const hello = this.#port.hello();
    socket.write(hello, 0, hello.length);
    if (this.sid < this.#port.mySid) return this.#use(socket);
    socket.end();
    // it calls back now: not to be disturbed by the next hello before that can have arrived
    this.#endAttempts(4 * (this.#port.clock.monotonicMs() - attempt.startedMs));
    return nobody;
  }

  #onFailure(address: HostAndPort, error: unknown, tried: number, outOf: number): void {
    this.#giveUp();
    this.#turn++;
    const { logger } = this.#port;
    const reason = error instanceof Error ? error.message : String(error);
    const fields = { sid: this.sid, host: address.host, port: address.port, reason };
    if (this.#failures++ === 0) logger.warn('cannot connect for election', fields);
    else logger.debug('cannot connect for election', fields);
    if (tried < outOf) this.#dial(tried);
    else this.#endAttempts(0);
  }

  /**
   * Nothing is under way any more. The next attempt comes after a pause, also when there is nothing to
   * say: Apache's servers do not call again by themselves after they have begun anew.
   */
  #endAttempts(extraMs: number): void {
    if (this.#isGone || this.#connection !== null) return;
    if (this.#port.addressesOf(this.sid).length === 0) {
      this.#port.onForgotten(this);
      return;
    }
    if (this.#retry !== null) return;
    this.#retry = this.#port.clock.after(this.#pauseMs + extraMs, () => {
      this.#retry = null;
      this.#dial();
    });
    this.#pauseMs = Math.min(2 * this.#pauseMs, pauseMsLargest);
  }

  #giveUp(): void {
    if (this.#attempt !== null) this.#attempt.isOver = true;
    this.#attempt = null;
  }

  #cancelRetry(): void {
    this.#retry?.cancel();
    this.#retry = null;
  }

  // ------------------------------------------------------------------ having one

  #use(socket: Socket): PeerConnection {
    this.#cancelRetry();
    const before = this.#connection;
    const connection = new PeerConnection(this, socket);
    this.#connection = connection;
    // the new one is in place before anybody hears of the old one's end: they may send at once
    if (before !== null) this.#close(before);
    this.#connectedMs = this.#heardMs = this.#port.clock.monotonicMs();
    if (this.#connection !== connection) return connection;
    // what was said over the one before may be lost, and what is said again must not be of an election
    // that is over by now
    if (this.#hasSpoken) this.#waiting ??= this.#port.word();
    this.#flush();
    this.#port.onConnected(this);
    return connection;
  }

  #drop(): void {
    const connection = this.#connection;
    this.#connection = null;
    if (connection !== null) this.#close(connection);
  }

  #close(connection: PeerConnection): void {
    connection.socket.destroy();
    const livedMs = this.#port.clock.monotonicMs() - this.#connectedMs;
    // two servers that tear down each other's connections must slow down until one stays
    if (livedMs > 2 * pauseMsLargest) this.#pauseMs = pauseMsFirst;
    this.#port.onDisconnected(this);
  }

  #flush(): void {
    const connection = this.#connection;
    const frame = this.#waiting;
    if (connection === null || frame === null || connection.isFull) return;
    this.#waiting = null;
    this.#hasSpoken = true;
    connection.isFull = !connection.socket.write(frame, 0, frame.length);
  }

  // ------------------------------------------------------------------ what its connections say

  /** False: this connection is not the one any more. */
  onFrame(from: PeerConnection, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#connection !== from) return false;
    this.#heardMs = this.#port.clock.monotonicMs();
    this.#port.onFrame(this, bytes, start, end);
    return this.#connection === from;
  }

  onDrain(from: PeerConnection): void {
    if (this.#connection === from) this.#flush();
  }

  onEnd(from: PeerConnection, why: string): void {
    if (this.#connection !== from) return;
    this.#port.logger.info('election connection ended', { sid: this.sid, why });
    this.#drop();
    // whoever was told may have asked for the next one already
    if (this.#attempt === null) this.#endAttempts(0);
  }
}

/** Frames of one socket; what they mean is the peer's business. */
class PeerConnection implements SocketHandler {
  readonly socket: Socket;
  readonly #peer: ElectionPeer;
  readonly #frames = new FrameDecoder(frameBytesMax);
  readonly #onFrame = (bytes: Uint8Array, start: number, end: number): boolean => {
    if (end > start) return this.#peer.onFrame(this, bytes, start, end);
    this.#peer.onEnd(this, 'an empty message');
    return false;
  };
  /** The socket still holds what was written last. */
  isFull = false;

  constructor(peer: ElectionPeer, socket: Socket) {
    this.#peer = peer;
    this.socket = socket;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    const status = this.#frames.push(bytes, start, end, this.#onFrame);
    if (status !== 'ok') {
      this.#peer.onEnd(this, `a message of ${this.#frames.refusedLength} bytes`);
    }
  }

  onDrain(): void {
    this.isFull = false;
    this.#peer.onDrain(this);
  }

  onClose(error: Error | null): void {
    this.#peer.onEnd(this, error === null ? 'closed by the peer' : error.message);
  }
}

/** For sockets that nobody wants to hear of. */
const nobody: SocketHandler = {
  onData() {},
  onDrain() {},
  onClose() {},
};
