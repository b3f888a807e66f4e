/**
 * The election port: one connection to each other server, over which they tell each other their
 * votes. Who may open it and who has to wait for a call follows from the servers' numbers, exactly as
 * in Apache's ensembles, so that either kind can sit at the other end.
 *
 * A caller is a stranger until its hello says who it is. Strangers cost a timer and twenty bytes, are
 * few and have little time; none of them holds up anybody else.
 */
import type { Clock, Timer } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import type { Network, Socket, SocketHandler } from '../../ports/network.js';
import {
  HelloDecoder,
  writeHello,
  type Hello,
  type HostAndPort,
} from '../../protocol/peer/hello.js';
import {
  readNotification,
  writeNotification,
  type Notification,
} from '../../protocol/peer/notification.js';
import { Writer } from '../../protocol/writer.js';
import type { HearingView } from '../commands/ensemble-view.js';
import { Listening, type ListenAddress } from './listening.js';
import { ElectionPeer, type PeerSurroundings } from './election-port-peer.js';

export interface PeerAddress {
  /** At least one. */
  readonly electionAddresses: readonly HostAndPort[];
}

export interface ElectionPortOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly mySid: number;
  /** All servers of the configuration as it is now, this one included. */
  peers(): ReadonlyMap<number, PeerAddress>;
  /** Null: every address of this machine; absent: the own addresses in `peers`. */
  readonly listenHost?: string | null;
  /** For a connection, and for the hello of a caller. */
  readonly connectTimeoutMs: number;
  /** Tell all own addresses: only where every server understands it (multiAddress.enabled). */
  readonly useV2: boolean;
  /** Whom to talk to: the configuration's servers, and those that may join it. */
  isKnown(sid: number): boolean;
}

/** Nothing is told any more once `close` was called. */
export interface ElectionPortEvents {
  onMessage(from: number, notification: Notification): void;
  /** What holds now, for a server whose connection was replaced; null: there is nothing to say. */
  word(): Notification | null;
  onConnected(sid: number): void;
  /** Also when another connection takes the place of one: messages may be lost with it. */
  onDisconnected(sid: number): void;
}

/** Callers that have not said who they are; the longest there goes first. */
const strangersMax = 128;

/** Servers that are in no configuration and are talked to nevertheless. */
const guestsMax = 64;

export class ElectionPort {
  readonly #options: ElectionPortOptions;
  readonly #events: ElectionPortEvents;
  readonly #peers = new Map<number, ElectionPeer>();
  readonly #connected = new Set<number>();
  readonly #strangers = new Set<Stranger>();
  readonly #writer = new Writer();
  /** What its peers need of it. */
  readonly #lent: PeerSurroundings;
  readonly #listening: Listening;
  #isClosed = false;

  private constructor(options: ElectionPortOptions, events: ElectionPortEvents) {
    this.#options = options;
    this.#events = events;
    this.#lent = this.#surroundings();
    this.#listening = new Listening(options, 'votes', (socket) => this.#onCall(socket));
  }

  /** Rejects with the system's error when one of the own addresses cannot be had. */
  static async listen(
    options: ElectionPortOptions,
    events: ElectionPortEvents,
  ): Promise<ElectionPort> {
    const port = new ElectionPort(options, events);
    await port.#listen();
    return port;
  }

  async #listen(): Promise<void> {
    const own = this.#ownAddresses();
    if (own.length === 0) {
      throw new Error(`server ${this.#options.mySid} is not in the configuration`);
    }
    await this.#listening.open(own);
  }

  #ownAddresses(): ListenAddress[] {
    const { listenHost, mySid } = this.#options;
    return this.#addressesOf(mySid).map(({ host, port }) => ({
      host: listenHost === undefined ? host : (listenHost ?? undefined),
      port,
    }));
  }

  /** The own addresses in `peers` may have changed. Settles when it listens there, or cannot. */
  rebind(): Promise<void> {
    const own = this.#ownAddresses();
    return own.length === 0 ? Promise.resolve() : this.#listening.move(own);
  }

  // ------------------------------------------------------------------ for the election

  /** Connects if needed; a message to oneself or to a server that is not known is dropped. */
  send(to: number, notification: Notification): void {
    this.#peer(to)?.send(this.#framed(notification));
  }

  connected(): ReadonlySet<number> {
    return this.#connected;
  }

  /** The connection with that server; null: there is none. */
  hearing(sid: number): HearingView | null {
    return this.#peers.get(sid)?.hearing ?? null;
  }

  /** Connects to every server of the configuration to which there is no connection. */
  connectAll(): void {
    for (const sid of this.#options.peers().keys()) this.#peer(sid)?.connect();
  }

  /** What `peers` and `isKnown` answer has changed: those that left are dropped. */
  setPeers(): void {
    for (const peer of [...this.#peers.values()]) {
      if (this.#options.isKnown(peer.sid)) continue;
      this.#peers.delete(peer.sid);
      peer.leave();
      if (this.#connected.delete(peer.sid)) this.#events.onDisconnected(peer.sid);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const peer of this.#peers.values()) peer.leave();
    this.#peers.clear();
    this.#connected.clear();
    for (const stranger of [...this.#strangers]) stranger.turnAway();
    await this.#listening.close();
  }

  #peer(sid: number): ElectionPeer | null {
    if (this.#isClosed || sid === this.#options.mySid || !this.#options.isKnown(sid)) return null;
    let peer = this.#peers.get(sid);
    if (peer === undefined) {
      if (this.#addressesOf(sid).length === 0 && this.#guestCount() >= guestsMax) return null;
      peer = new ElectionPeer(sid, this.#lent);
      this.#peers.set(sid, peer);
    }
    return peer;
  }

  #guestCount(): number {
    let count = 0;
    for (const sid of this.#peers.keys()) if (this.#addressesOf(sid).length === 0) count++;
    return count;
  }

  #framed(notification: Notification): Uint8Array {
    const out = this.#writer;
    out.reset();
    out.writeInt(0);
    writeNotification(out, notification);
    out.patchInt(0, out.pos - 4);
    return out.take();
  }

  // ------------------------------------------------------------------ callers

  #onCall(socket: Socket): SocketHandler {
    const { clock, connectTimeoutMs } = this.#options;
    const stranger = new Stranger(socket, clock, connectTimeoutMs, {
      onHello: (hello) => this.#onHello(socket, hello),
      onGone: () => this.#strangers.delete(stranger),
    });
    this.#strangers.add(stranger);
    if (this.#isClosed) stranger.turnAway();
    for (const oldest of this.#strangers) {
      if (this.#strangers.size <= strangersMax) break;
      oldest.turnAway();
    }
    return stranger;
  }

  /** Null: the socket is of no use. */
  #onHello(socket: Socket, hello: Hello | null): SocketHandler | null {
    const { logger, mySid } = this.#options;
    const from = `${socket.remoteAddress}:${socket.remotePort}`;
    if (hello === null) {
      logger.warn('a caller at the election port sent no hello', { from });
      return null;
    }
    const sid = Number(hello.sid);
    if (sid === mySid) {
      logger.warn('a caller at the election port has the number of this server', { from, sid });
      return null;
    }
    const peer = sid >= 0 && Number.isSafeInteger(sid) ? this.#peer(sid) : null;
    if (peer === null) {
      logger.warn('a caller at the election port is not known', { from, sid });
      return null;
    }
    if (sid > mySid) return peer.adopt(socket);
    peer.callBack(hello.addresses);
    return null;
  }

  // ------------------------------------------------------------------ for the peers

  #surroundings(): PeerSurroundings {
    const { network, clock, logger, mySid, connectTimeoutMs } = this.#options;
    return {
      ...{ network, clock, logger, mySid, connectTimeoutMs },
      hello: () => this.#hello(),
      addressesOf: (sid) => this.#addressesOf(sid),
      onFrame: (peer, bytes, start, end) => {
        const notification = readNotification(bytes, start, end);
        if (notification !== null) this.#events.onMessage(peer.sid, notification);
        else logger.warn('not a vote', { sid: peer.sid, byteCount: end - start });
      },
      onConnected: (peer) => {
        this.#connected.add(peer.sid);
        logger.info('election connection', { sid: peer.sid });
        this.#events.onConnected(peer.sid);
      },
      word: () => {
        const word = this.#events.word();
        return word === null ? null : this.#framed(word);
      },
      onDisconnected: (peer) => {
        if (this.#connected.delete(peer.sid)) this.#events.onDisconnected(peer.sid);
      },
      onForgotten: (peer) => {
        if (this.#peers.get(peer.sid) === peer) this.#peers.delete(peer.sid);
        peer.leave();
      },
    };
  }

  #hello(): Uint8Array {
    const { mySid, useV2 } = this.#options;
    const out = new Writer();
    writeHello(out, mySid, this.#addressesOf(mySid), useV2);
    return out.take();
  }

  #addressesOf(sid: number): readonly HostAndPort[] {
    return this.#options.peers().get(sid)?.electionAddresses ?? [];
  }
}

interface StrangerEvents {
  /** Null: it sent something else. The answer takes over the socket; null: it is to be closed. */
  onHello(hello: Hello | null): SocketHandler | null;
  /** It is a stranger no more, one way or the other. May be told more than once. */
  onGone(): void;
}

/** A caller; once it has said who it is, its socket speaks to whoever wants it. */
class Stranger implements SocketHandler {
  readonly #socket: Socket;
  readonly #told: StrangerEvents;
  readonly #hello = new HelloDecoder();
  readonly #timer: Timer;
  #next: SocketHandler | null = null;
  #isTurnedAway = false;

  constructor(socket: Socket, clock: Clock, timeoutMs: number, told: StrangerEvents) {
    this.#socket = socket;
    this.#told = told;
    this.#timer = clock.after(timeoutMs, () => {
      this.turnAway();
    });
  }

  turnAway(): void {
    this.#isTurnedAway = true;
    this.#socket.destroy();
    this.#end();
  }

  #end(): void {
    this.#timer.cancel();
    this.#told.onGone();
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isTurnedAway) return;
    if (this.#next !== null) {
      this.#next.onData(bytes, start, end);
      return;
    }
    const hello = this.#hello.push(bytes, start, end);
    if (hello === 'more') return;
    this.#end();
    this.#next = this.#told.onHello(hello === 'malformed' ? null : hello);
    if (this.#next === null) this.turnAway();
    else if (this.#hello.consumed < end) this.#next.onData(bytes, this.#hello.consumed, end);
  }

  onDrain(): void {
    this.#next?.onDrain();
  }

  onClose(error: Error | null): void {
    if (this.#next === null) this.#end();
    else this.#next.onClose(error);
  }
}
