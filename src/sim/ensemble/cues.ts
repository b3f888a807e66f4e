/**
 * Moments of a story: a packet is about to leave a server, a server is about to call its disk. What a
 * scenario has waiting for a moment happens right there, before the packet or the call does.
 */
import type { Zxid } from '../../protocol/zxid.js';
import type { DiskCall, DiskCallName, DiskFault } from '../disk.js';

/** Left out: any. */
export interface PacketCue {
  /** As PacketType calls it. */
  readonly kind: string;
  readonly from?: number;
  readonly to?: number;
  /** How many of these may leave before it; 0 when it is left out. */
  readonly after?: number;
}

export interface Packet {
  readonly from: number;
  readonly to: number;
  readonly kind: string;
  readonly zxid: Zxid;
}

export interface CallCue {
  readonly sid: number;
  readonly name: DiskCallName;
  /** Matches the path. */
  readonly path: RegExp;
  readonly after?: number;
}

/** Whether it has come to it, which it does once. */
export interface Moment {
  hasCome: boolean;
}

interface Waiting<What> {
  left: number;
  readonly moment: Moment;
  readonly fits: (what: What) => boolean;
  readonly act: (what: What) => DiskFault | null;
}

type SidedCall = DiskCall & { readonly sid: number };

export class Cues {
  readonly #packets: Waiting<Packet>[] = [];
  readonly #calls: Waiting<SidedCall>[] = [];

  atPacket(cue: PacketCue, act: (packet: Packet) => void): Moment {
    return add(this.#packets, cue.after, {
      fits: ({ kind, from, to }) =>
        kind === cue.kind && from === (cue.from ?? from) && to === (cue.to ?? to),
      act: (packet) => {
        act(packet);
        return null;
      },
    });
  }

  /** What `act` returns is what becomes of the call. */
  atCall(cue: CallCue, act: () => DiskFault | null): Moment {
    return add(this.#calls, cue.after, {
      fits: ({ sid, name, path }) => sid === cue.sid && name === cue.name && cue.path.test(path),
      act,
    });
  }

  /** Nothing waits any more. */
  clear(): void {
    this.#packets.length = this.#calls.length = 0;
  }

  onPacket(packet: Packet): void {
    come(this.#packets, packet);
  }

  /** A call may be what something waits for. */
  get awaitsCalls(): boolean {
    return this.#calls.length > 0;
  }

  onCall(call: SidedCall): DiskFault | null {
    return come(this.#calls, call);
  }
}

function add<What>(
  waiting: Waiting<What>[],
  after = 0,
  rest: Pick<Waiting<What>, 'fits' | 'act'>,
): Moment {
  const moment = { hasCome: false };
  waiting.push({ left: after, moment, ...rest });
  return moment;
}

function come<What>(all: Waiting<What>[], what: What): DiskFault | null {
  let fault: DiskFault | null = null;
  if (all.length === 0) return null;
  for (const waiting of [...all]) {
    if (!waiting.fits(what) || waiting.left-- > 0) continue;
    all.splice(all.indexOf(waiting), 1);
    waiting.moment.hasCome = true;
    fault ??= waiting.act(what);
  }
  return fault;
}
