/**
 * Listens to what servers tell each other, between each process and its kernel, and holds them to
 * "persist, then speak" (S14): whatever is promised, advertised or acknowledged must be in the durable
 * image of the disk of the one who says so, at that moment. Also that nobody promises one epoch to two
 * leaders (S22), and that learners are answered in order (S27).
 */
import { assert } from '../../base/assert.js';
import type { ListenOptions, Network, Socket, SocketHandler } from '../../ports/network.js';
import { FrameDecoder } from '../../protocol/frame.js';
import { HelloDecoder } from '../../protocol/peer/hello.js';
import { readNotification } from '../../protocol/peer/notification.js';
import { PacketType, type PacketView } from '../../protocol/peer/quorum-packet.js';
import { Reader } from '../../protocol/reader.js';
import { counterOf, epochOf, formatZxid, zxidOfParts, type Zxid } from '../../protocol/zxid.js';
import { ForwardingSocket } from '../forwarding.js';
import { SimSocket } from '../network.js';
import type { Trace } from '../trace.js';
import { AnswerOrder } from './answer-order.js';
import type { Debts } from './apache-peer.js';
import type { Voter } from './chronicle.js';
import type { Packet } from './cues.js';
import { electionPort, observerMasterPort, quorumPort, sidAt } from './parameters.js';
import { QuorumStream } from './quorum-stream.js';

const NAMES = new Map(Object.entries(PacketType).map(([name, type]) => [type as number, name]));

/** What a leader has told a learner over one connection. */
interface Telling {
  epoch: number;
  /** The last transaction of what it sent; null: it built on what the learner had. */
  end: Zxid | null;
  /** The same when NEWLEADER followed. */
  historyEnd: Zxid | null;
  isHistoryAcknowledged: boolean;
  readonly order: AnswerOrder;
}

interface Speaker extends Voter {
  /** It is of a make that says more than its disk holds (apache-peer.ts). */
  readonly mayLie: boolean;
  /** It has no role. */
  readonly isLooking: boolean;
}

interface Parts {
  readonly trace: Trace;
  readonly debts: Debts;
  fail(invariant: string, message: string): void;
  /** It is about to leave. */
  onPacket(packet: Packet): void;
}

/** The zxid that a learner shows when it cannot go back to where its leader wants it. */
const ASKS_FOR_SNAPSHOT = 0x7fff_ffffn << 32n;

/** One for all servers: some of it is known only by listening to both ends. */
export class PeerTap {
  readonly #parts: Parts;
  readonly #tellings = new Map<number, Telling>();
  readonly #promises = new Map<string, number>();
  /** Who says of itself that it leads the epoch, established or not. */
  readonly #proposed = new Map<number, number>();
  /** By server and epoch, the history that NEWLEADER followed. */
  readonly #histories = new Map<string, Zxid | null>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The network as the server gets it. */
  networkOf(speaker: Speaker, inner: Network): Network {
    const wrap = (port: number, socket: Socket, isCaller: boolean): Socket => {
      assert(socket instanceof SimSocket, 'there is one network');
      const hear = this.#listener(speaker, port, socket, isCaller);
      return hear === null ? socket : new Overheard(socket, hear);
    };
    return {
      listen: (options: ListenOptions, accept) =>
        inner.listen(options, (socket) => accept(wrap(options.port, socket, false))),
      connect: async (options, accept) => {
        let wrapped: Socket | null = null;
        const once = (socket: Socket): Socket => (wrapped ??= wrap(options.port, socket, true));
        const socket = await inner.connect(options, (opened): SocketHandler =>
          accept(once(opened)),
        );
        return once(socket);
      },
    };
  }

  /** Its disk was emptied: what it promised is forgotten. */
  onWiped(sid: number): void {
    for (const known of [this.#promises, this.#histories]) {
      for (const key of [...known.keys()]) if (key.startsWith(`${sid} `)) known.delete(key);
    }
  }

  /** The epoch file changed: the history of the epoch must be there (Z14). */
  onCurrentEpoch({ sid, history, mayLie }: Speaker, epoch: number): void {
    if (this.#proposed.get(epoch) === sid || epochOf(history.end) >= epoch) return;
    const key = `${sid} ${epoch}`;
    const due = this.#histories.get(key);
    if (mayLie) {
      const isPaid = (): boolean => {
        const end = this.#histories.get(key);
        return end === null || (end !== undefined && history.covers(end));
      };
      const what = `${sid} has epoch ${epoch} as its current one`;
      this.#parts.debts.owe(sid, { what, upTo: due ?? 0n, isPaid });
      return;
    }
    if (due === undefined) {
      this.#parts.fail('S16', `${sid} has epoch ${epoch} as its current one before NEWLEADER`);
    } else if (due !== null && !history.covers(due)) {
      this.#parts.fail(
        'S16',
        `${sid} has epoch ${epoch}, and not its history to ${formatZxid(due)}`,
      );
    }
  }

  // ------------------------------------------------------------------ streams

  #listener(speaker: Speaker, port: number, socket: SimSocket, isCaller: boolean): Hear | null {
    if (port === electionPort) return this.#electionListener(speaker, socket, isCaller);
    // a follower that serves observers says what a leader would, and leads nobody
    const isRelay = port === observerMasterPort;
    if (port !== quorumPort && !isRelay) return null;
    const stream = new QuorumStream(!isCaller);
    const onPacket = (packet: PacketView): void => {
      if (isCaller) this.#onLearnerSays(speaker, socket, packet, isRelay);
      else this.#onLeaderSays(speaker, socket, packet, isRelay);
    };
    return (bytes, start, end) => {
      const status = stream.push(bytes, start, end, onPacket);
      if (status !== 'ok')
        this.#parts.fail('frames', `server ${speaker.sid} wrote what is no packet`);
    };
  }

  #electionListener(speaker: Speaker, socket: SimSocket, isCaller: boolean): Hear {
    const hello = isCaller ? new HelloDecoder() : null;
    let isGreeted = !isCaller;
    const frames = new FrameDecoder(512 * 1024);
    return (bytes, start, end) => {
      let from = start;
      if (!isGreeted && hello !== null) {
        isGreeted = hello.push(bytes, start, end) !== 'more';
        from = hello.consumed;
      }
      if (!isGreeted) return;
      frames.push(bytes, from, end, (frame, at, to) => {
        this.#onVote(speaker, socket, frame, at, to);
        return true;
      });
    };
  }

  // ------------------------------------------------------------------ what is said

  #onVote(speaker: Speaker, socket: SimSocket, bytes: Uint8Array, at: number, to: number): void {
    const { sid, history } = speaker;
    const said = readNotification(bytes, at, to);
    if (said === null) {
      this.#parts.fail('frames', `server ${sid} sent a vote that is none`);
      return;
    }
    const { state, leader, zxid, peerEpoch, electionEpoch } = said;
    this.#parts.trace.note('M', `s${sid}`, '> vote', Number(electionEpoch), Number(leader), () => {
      const vote = `for ${leader} ${formatZxid(zxid)} epoch ${peerEpoch} round ${electionEpoch}`;
      return `s${sidAt(socket.remoteAddress)} ${state} ${vote}`;
    });
    // what waited for a connection, or is sent again on a new one, may be of the past
    if (!speaker.isLooking || state !== 'looking' || leader !== BigInt(sid)) return;
    if (Number(peerEpoch) > history.currentEpoch) {
      this.#fail(sid, `votes with epoch ${peerEpoch}, durable is ${history.currentEpoch}`);
    } else if (Number(peerEpoch) === history.currentEpoch) {
      this.#claim(speaker, 'votes with', zxid);
    }
  }

  #onLeaderSays(
    { sid, history }: Voter,
    socket: SimSocket,
    packet: PacketView,
    isRelay: boolean,
  ): void {
    const { type, zxidHigh, zxidLow } = packet;
    const zxid = zxidOfParts(zxidHigh, zxidLow);
    const to = sidAt(socket.remoteAddress);
    this.#trace(sid, to, type, zxid);
    const telling = this.#tellingOn(socket);
    const disorder = telling.order.onLeaderSays(packet);
    if (disorder !== null) this.#parts.fail('S27', `server ${sid} to ${to}: ${disorder}`);
    switch (type) {
      case PacketType.leaderInfo: {
        telling.epoch = zxidHigh;
        if (!isRelay) this.#proposed.set(zxidHigh, sid);
        if (history.acceptedEpoch < zxidHigh) {
          this.#fail(sid, `leads epoch ${zxidHigh}, durable is ${history.acceptedEpoch}`);
        }
        return;
      }
      case PacketType.diff:
        telling.end = null;
        return;
      case PacketType.trunc:
      case PacketType.snap:
      case PacketType.proposal:
        telling.end = zxid;
        return;
      case PacketType.newLeader:
        telling.historyEnd = telling.end;
        this.#histories.set(`${to} ${zxidHigh}`, telling.end);
        return;
      default:
    }
  }

  #onLearnerSays(speaker: Speaker, socket: SimSocket, packet: PacketView, isRelay: boolean): void {
    const { sid, history } = speaker;
    const { type, zxidHigh, zxidLow, bytes, dataStart, dataEnd } = packet;
    const zxid = zxidOfParts(zxidHigh, zxidLow);
    const to = sidAt(socket.remoteAddress);
    this.#trace(sid, to, type, zxid);
    const telling = this.#tellingOn(socket);
    telling.order.onLearnerSays(packet);
    switch (type) {
      case PacketType.followerInfo:
      case PacketType.observerInfo:
        if (history.acceptedEpoch < zxidHigh) {
          this.#fail(sid, `shows epoch ${zxidHigh}, durable is ${history.acceptedEpoch}`);
        }
        return;
      case PacketType.ackEpoch:
        this.#onPromise(
          speaker,
          isRelay ? null : to,
          telling.epoch,
          zxid,
          currentEpochIn(bytes, dataStart, dataEnd),
        );
        return;
      case PacketType.ack:
        if (counterOf(zxid) === 0) this.#onHistoryAck(speaker, telling, zxidHigh);
        else this.#claim(speaker, 'acknowledges', zxid, () => history.holds(zxid));
        return;
      default:
    }
  }

  /** `to` null: to somebody who leads nobody. */
  #onPromise(speaker: Speaker, to: number | null, epoch: number, end: Zxid, current: number): void {
    const { sid, history } = speaker;
    if (history.acceptedEpoch < epoch) {
      this.#fail(sid, `promises epoch ${epoch}, durable is ${history.acceptedEpoch}`);
    }
    // whoever asks for a snapshot shows what nobody has
    const isAsking = current === -1 && end === ASKS_FOR_SNAPSHOT;
    if (!isAsking) this.#claim(speaker, 'promises with', end);
    if (current === -1) return;
    if (history.currentEpoch < current) {
      this.#fail(sid, `promises with current epoch ${current}, durable is ${history.currentEpoch}`);
    }
    if (to === null) return;
    const other = this.#promises.get(`${sid} ${epoch}`);
    if (other !== undefined && other !== to) {
      this.#parts.fail('S22', `${sid} promises epoch ${epoch} to ${to}, and did to ${other}`);
    }
    this.#promises.set(`${sid} ${epoch}`, to);
  }

  #onHistoryAck(speaker: Speaker, telling: Telling, epoch: number): void {
    const { sid, history, mayLie } = speaker;
    if (telling.isHistoryAcknowledged) return;
    telling.isHistoryAcknowledged = true;
    if (history.currentEpoch < epoch) {
      this.#fail(sid, `acknowledges epoch ${epoch}, durable is ${history.currentEpoch}`);
    }
    const { historyEnd } = telling;
    if (mayLie && (historyEnd === null || history.covers(historyEnd))) {
      this.#parts.debts.settle(sid);
    }
    if (historyEnd !== null) this.#claim(speaker, 'acknowledges a history to', historyEnd);
  }

  /** It says that it has this, durably. */
  #claim(
    { sid, history, mayLie }: Speaker,
    how: string,
    zxid: Zxid,
    isPaid = (): boolean => history.covers(zxid),
  ): void {
    if (isPaid()) return;
    const what = `${how} ${formatZxid(zxid)}, durable is ${formatZxid(history.end)}`;
    if (!mayLie) this.#fail(sid, what);
    else this.#parts.debts.owe(sid, { what, upTo: zxid, isPaid });
  }

  #tellingOn(socket: SimSocket): Telling {
    let telling = this.#tellings.get(socket.id);
    if (telling === undefined) {
      telling = {
        ...{ epoch: 0, end: null, historyEnd: null, isHistoryAcknowledged: false },
        order: new AnswerOrder(),
      };
      this.#tellings.set(socket.id, telling);
    }
    return telling;
  }

  #trace(sid: number, to: number, type: number, zxid: Zxid): void {
    this.#parts.trace.note(
      'M',
      `s${sid}`,
      '> server',
      type,
      Number(zxid & 0xffff_ffffn),
      () => `s${to} ${NAMES.get(type) ?? type} ${formatZxid(zxid)}`,
    );
    this.#parts.onPacket({ from: sid, to, kind: NAMES.get(type) ?? String(type), zxid });
  }

  #fail(sid: number, what: string): void {
    this.#parts.fail('S14', `server ${sid} ${what}`);
  }
}

type Hear = (bytes: Uint8Array, start: number, end: number) => void;

class Overheard extends ForwardingSocket {
  readonly #socket: SimSocket;
  readonly #hear: Hear;

  constructor(inner: SimSocket, hear: Hear) {
    super(inner);
    this.#socket = inner;
    this.#hear = hear;
  }

  override write(bytes: Uint8Array, start: number, end: number): boolean {
    // what a process says that has been killed reaches nobody
    if (!this.#socket.isClosed && !this.#socket.isEnding) this.#hear(bytes, start, end);
    return super.write(bytes, start, end);
  }
}

function currentEpochIn(bytes: Uint8Array, start: number, end: number): number {
  return start < 0 ? -1 : new Reader().reset(bytes, start, end).readInt();
}
