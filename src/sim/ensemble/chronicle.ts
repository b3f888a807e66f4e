/**
 * The one history that an ensemble may have: every transaction that any server has applied for its
 * clients, in order, and what must hold of it whatever happens (S1, S2, S9, S10, S15). It grows when a
 * leader is established and when one commits; everybody else only repeats it.
 *
 * Behind it stands everything ever found on any disk, committed or not: one zxid is one transaction,
 * and it follows one other (log matching), which is how the history of a leader that knows its past
 * only as a snapshot is still known here.
 */
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import { readTxnPayload } from '../../protocol/records.js';
import { counterOf, epochOf, formatZxid, makeZxid, type Zxid } from '../../protocol/zxid.js';
import { readMembers, votersOf, type Members } from '../../server/config/members.js';
import { sameBytes } from '../bytes.js';
import type { LoggedTxn } from '../log-witness.js';
import type { DurableHistory } from './durable-history.js';

export interface Voter {
  readonly sid: number;
  readonly history: DurableHistory;
  /** Null: it is down. */
  readonly member: {
    readonly membership: { readonly inForce: { readonly members: Members } };
  } | null;
}

interface ChronicleParts {
  servers(): readonly Voter[];
  /** In force at the beginning. */
  readonly config: Members;
  nowMs(): number;
  /** The server has said that it has it, which cannot be held against those who believe it. */
  isOwed(sid: number, zxid: Zxid): boolean;
  /** An oracle allows it to decide without the other voter. */
  maySettleAlone(sid: number): boolean;
  readonly fail: (invariant: string, message: string) => void;
}

interface Found {
  readonly bytes: Uint8Array;
  previous: Zxid | null;
}

export class Chronicle {
  readonly #parts: ChronicleParts;
  readonly txns: LoggedTxn[] = [];
  readonly #positions = new Map<Zxid, number>();
  readonly #sessions = new Set<bigint>();
  readonly #found = new Map<Zxid, Found>();
  readonly #leaders = new Map<number, number>();
  /** By epoch, what its history began with. */
  readonly #bases = new Map<number, Zxid>();
  #latestStart: Zxid = 0n;
  /** By the last configuration that is committed. */
  #voters: readonly number[];

  constructor(parts: ChronicleParts) {
    this.#parts = parts;
    this.#voters = votersOf(parts.config);
  }

  get last(): Zxid {
    return this.txns.at(-1)?.zxid ?? 0n;
  }

  get epochs(): number {
    return this.#leaders.size;
  }

  /** Nobody can have been shown more (for `ServerTap`). */
  get durableZxid(): Zxid {
    return this.last > this.#latestStart ? this.last : this.#latestStart;
  }

  hasSession(id: bigint): boolean {
    return this.#sessions.has(id);
  }

  /** Transactions up to and including the zxid. Beyond the end for one that is none. */
  positionOf(zxid: Zxid): number {
    const exact = this.#positions.get(zxid);
    if (exact !== undefined) return exact + 1;
    if (counterOf(zxid) !== 0) return this.txns.length + 1;
    return this.#countUpTo(zxid);
  }

  /** Found on a disk. */
  readonly onRecord = (zxid: Zxid, bytes: Uint8Array, previous: Zxid | null): void => {
    const known = this.#found.get(zxid);
    if (known === undefined) {
      this.#found.set(zxid, { bytes, previous });
      return;
    }
    if (!sameBytes(known.bytes, bytes)) {
      this.#parts.fail('S4', `two transactions are called ${formatZxid(zxid)}`);
    }
    if (known.previous !== null && previous !== null && known.previous !== previous) {
      const [a, b] = [formatZxid(known.previous), formatZxid(previous)];
      this.#parts.fail('S12', `${formatZxid(zxid)} follows ${a} on one disk, ${b} on another`);
    }
    known.previous ??= previous;
  };

  /** It leads from here on; everything that it has counts as committed. */
  onLeading({ sid, history, member }: Voter, epoch: number): void {
    const { fail } = this.#parts;
    const other = this.#leaders.get(epoch);
    if (other !== undefined) {
      fail('S1', `epoch ${epoch} is led by ${sid}, and was led by ${other}`);
      return;
    }
    this.#leaders.set(epoch, sid);
    const end = this.#resolve(history.end);
    for (const zxid of this.#between(end, sid)) this.#extend(zxid);
    if (this.last !== end) {
      const [ends, last] = [formatZxid(end), formatZxid(this.last)];
      fail('S10', `${sid} leads epoch ${epoch} with a history to ${ends}, ${last} was committed`);
    }
    // one that was saved, and its transaction not logged: with NEWLEADER a quorum has agreed to it
    const inForce = member?.membership.inForce.members;
    if (inForce !== undefined && inForce.version > this.last) this.#voters = votersOf(inForce);
    this.#bases.set(epoch, this.last);
    const start = makeZxid(epoch, 0);
    if (start > this.#latestStart) this.#latestStart = start;
  }

  /** It serves, and has applied everything up to the zxid. */
  onLearning({ sid, history }: Voter, applied: Zxid): void {
    const reached = this.#countUpTo(applied);
    if (this.#resolve(applied) !== (this.txns[reached - 1]?.zxid ?? 0n)) {
      this.#parts.fail('S2', `server ${sid} serves at ${formatZxid(applied)}, which is no state`);
    }
    for (const zxid of history.zxids()) {
      if (zxid > applied || this.#positions.has(zxid)) continue;
      this.#parts.fail(
        'S2',
        `server ${sid} holds ${formatZxid(zxid)}, never committed, as history`,
      );
    }
  }

  /** A server applied one transaction more, for its clients. */
  onApplied({ sid, history }: Voter, before: Zxid, bytes: Uint8Array): void {
    const { fail } = this.#parts;
    const zxid = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(12);
    const position = this.#countUpTo(before);
    const due = this.txns[position];
    if (due === undefined) {
      if (history.end < zxid)
        fail('S14', `${sid} applies ${formatZxid(zxid)} before it is durable`);
      else this.#extend(zxid);
    }
    const known = this.txns[position];
    if (known === undefined) return;
    if (known.zxid !== zxid) {
      const text = `after ${formatZxid(before)} server ${sid} applies ${formatZxid(zxid)}`;
      fail('S2', `${text}, others applied ${formatZxid(known.zxid)}`);
    } else if (!sameBytes(known.bytes, bytes)) {
      fail('S2', `server ${sid} applies another transaction as ${formatZxid(zxid)}`);
    }
  }

  /** Of the voters beside it, so many have all that is committed that each quorum has one of them. */
  isSafeWithout(sid: number): boolean {
    const voters = this.#voters;
    const others = this.#parts.servers().filter((one) => one.sid !== sid);
    const holders = others.filter((one) => {
      return voters.includes(one.sid) && one.history.covers(this.#resolve(this.last));
    });
    return 2 * holders.length >= voters.length;
  }

  // ------------------------------------------------------------------ inside

  #countUpTo(zxid: Zxid): number {
    let [low, high] = [0, this.txns.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.txns[middle]!.zxid <= zxid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The start of an epoch is a state, and no transaction. */
  #resolve(zxid: Zxid): Zxid {
    return counterOf(zxid) === 0 ? (this.#bases.get(epochOf(zxid)) ?? 0n) : zxid;
  }

  /** What lies between the end of this history and `end`, in order. */
  #between(end: Zxid, sid: number): Zxid[] {
    const chain: Zxid[] = [];
    for (let at = end; at > this.last;) {
      chain.push(at);
      const implied = counterOf(at) > 1 ? at - 1n : null;
      const found = this.#found.get(at);
      if (found === undefined) {
        this.#parts.fail('S3', `${sid} has ${formatZxid(at)}, which was on no disk`);
        return [];
      }
      // the first of an epoch that nobody has in the middle of a file: what else could it follow
      at = found.previous ?? implied ?? this.last;
    }
    return chain.reverse();
  }

  /** Those who vote hold it; of a configuration, those of the one before and its own. */
  #checkQuorum(zxid: Zxid): void {
    const voters = this.#voters;
    const holders = this.#parts
      .servers()
      .filter(({ sid }) => voters.includes(sid))
      // what was acknowledged and then wiped may be committed all the same
      .filter(({ sid, history }) => {
        const isThere = history.holds(zxid) || history.hadBeforeWipe(zxid);
        return isThere || this.#parts.isOwed(sid, zxid);
      });
    if (2 * holders.length > voters.length) return;
    if (holders.some(({ sid }) => this.#parts.maySettleAlone(sid))) return;
    const where = `${holders.map(({ sid }) => sid).join(' and ')}, of ${voters.join()} that vote`;
    this.#parts.fail('S15', `${formatZxid(zxid)} is committed, and durable only on ${where}`);
  }

  #extend(zxid: Zxid): void {
    const found = this.#found.get(zxid);
    if (found === undefined) {
      this.#parts.fail('S3', `${formatZxid(zxid)} is committed and was on no disk`);
      return;
    }
    const payload = readTxnPayload(new Reader().reset(found.bytes, 0, found.bytes.length));
    this.#checkQuorum(zxid);
    if (payload.body.type === OpCode.reconfig) {
      const reading = readMembers(new TextDecoder().decode(payload.body.txn.data ?? undefined));
      if (reading.ok) this.#voters = votersOf(reading.members);
      else this.#parts.fail('R1', `${formatZxid(zxid)}: ${reading.reason}`);
      this.#checkQuorum(zxid);
    }
    this.#positions.set(zxid, this.txns.length);
    this.txns.push({ zxid, payload, bytes: found.bytes, seenMs: this.#parts.nowMs() });
    if (payload.header.type === OpCode.createSession) this.#sessions.add(payload.header.clientId);
  }
}
