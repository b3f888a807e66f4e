/**
 * An ensemble on which a scenario is played: a story told step by step, each step waiting for what the
 * one before it leads to. What goes wrong is what the scenario says and nothing else; what is judged
 * is judged as in every other run (run.ts).
 */
import type { LogFields } from '../../ports/logger.js';
import type { ReconfigRequest } from '../../protocol/records.js';
import { counterOf } from '../../protocol/zxid.js';
import type { Timeline } from '../clock.js';
import type { LoggedTxn } from '../log-witness.js';
import { SimDisk, type DiskCall, type DiskFault } from '../disk.js';
import type { SimNetwork } from '../network.js';
import type { KillKind } from '../sim-server.js';
import type { Chronicle } from './chronicle.js';
import { Cues, type Moment } from './cues.js';
import type { EnsembleFaults } from './faults.js';
import type { Front } from './front.js';
import { Guest, type GuestWorld } from './guest.js';
import { snapshotAlone } from '../scratch.js';
import { nothing, submit } from './operator.js';
import { hostOf } from './parameters.js';
import { Reader } from './reader.js';
import { restoreOn, type Restoration } from './restoration.js';
import type { SimMember } from './sim-member.js';
import type { SimOracle } from './sim-oracle.js';

/** What a scenario waits for, in words, and whether it has come. */
export interface Wait {
  readonly what: string;
  readonly isOver: () => boolean;
  /** Of an operator, while time stands still. */
  readonly work?: Promise<void>;
}

export type Script = (stage: Stage) => Generator<Wait, void>;

interface StageParts {
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  readonly faults: EnsembleFaults;
  readonly chronicle: Chronicle;
  members(): readonly SimMember[];
  oracle(): SimOracle | null;
  front(): Front | null;
  readonly guestWorld: GuestWorld;
  readonly fail: (invariant: string, message: string) => void;
}

const LONG_MS = 600_000;

export class Stage {
  readonly #parts: StageParts;
  readonly #said: { readonly sid: number; readonly text: string }[] = [];
  /** Servers whose disk refuses the next flush of the log. */
  readonly #broken = new Set<number>();
  /** Servers whose disk does not answer the next flush of such a file for so long. */
  readonly #hung = new Map<number, { forMs: number; moment: Moment; file: string }>();
  readonly cues = new Cues();
  /** Beside the clients that every run has. */
  readonly reader: Reader;

  constructor(parts: StageParts) {
    this.#parts = parts;
    this.reader = new Reader(parts);
  }

  /** A client that comes by a balancer, with a session that lives for so long. */
  guest(timeoutMs: number): Guest {
    return new Guest(this.#parts.guestWorld, timeoutMs);
  }

  get front(): Front {
    const front = this.#parts.front();
    if (front === null) throw new RangeError('there are no balancers');
    return front;
  }

  /** Committed transactions of a session, those that failed left out. */
  txnsOf(session: bigint, type: number): readonly LoggedTxn[] {
    const { txns } = this.#parts.chronicle;
    return txns.filter(({ payload: { header } }) => {
      return header.clientId === session && header.type === type;
    });
  }

  get members(): readonly SimMember[] {
    return this.#parts.members();
  }

  member(sid: number): SimMember {
    const member = this.members[sid - 1];
    if (member === undefined) throw new RangeError(`there is no server ${sid}`);
    return member;
  }

  /** Committed transactions. */
  get txns(): number {
    return this.#parts.chronicle.txns.length;
  }

  /** Who leads, as far as the server itself knows; 0: nobody. */
  get leader(): number {
    return this.members.find(({ isLeading }) => isLeading)?.sid ?? 0;
  }

  get nowMs(): number {
    return this.#parts.timeline.nowMs;
  }

  get tickMs(): number {
    return this.member(1).config.tickTimeMs;
  }

  /** Those beside it that vote, the lowest number first. */
  others(...sids: readonly number[]): number[] {
    return this.members.map(({ sid }) => sid).filter((sid) => !sids.includes(sid));
  }

  /** The highest counter among the committed transactions. */
  get highestCounter(): number {
    return this.#parts.chronicle.txns.reduce(
      (high, { zxid }) => Math.max(high, counterOf(zxid)),
      0,
    );
  }

  start(...sids: readonly number[]): void {
    for (const sid of sids) this.member(sid).start();
  }

  kill(sid: number, kind: KillKind = 'process'): void {
    this.member(sid).kill(kind);
  }

  /** An orderly stop. */
  stopped(sid: number): Wait {
    this.member(sid).stop(() => undefined);
    return { what: `server ${sid} stops`, isOver: () => !this.member(sid).isRunning };
  }

  /** Asks the leader of the moment for it, as an operator does. */
  reconfigure(request: Partial<ReconfigRequest>): void {
    const leader = this.member(this.leader);
    leader.process?.post(() => {
      submit(leader, { ...nothing, ...request });
    });
  }

  /** What the oracle says from now on: these may go on alone. */
  allow(...sids: readonly number[]): void {
    this.#parts.oracle()?.allow(...sids);
  }

  /** No client reaches anybody, until all is healed. */
  shutClientsOut(): void {
    this.#parts.faults.shutOut(this.nowMs + LONG_MS);
  }

  /** The leader is to restore what it has and one znode more; nothing is written meanwhile. */
  restored(told: (restoration: Restoration) => void): Wait {
    const leader = this.member(this.leader);
    const wallMs = leader.process?.clock.wallMs() ?? 0;
    const work = restoreOn(leader, this.#parts.chronicle, wallMs).then(told);
    return { what: 'a snapshot', isOver: () => true, work };
  }

  wipe(sid: number): void {
    this.member(sid).wipe();
  }

  /** What it says reaches no other server; it hears them. */
  gag(sid: number, forMs = LONG_MS): void {
    for (const other of this.members) if (other.sid !== sid) this.gagTowards(sid, other.sid, forMs);
  }

  gagTowards(sid: number, other: number, forMs = LONG_MS): void {
    this.#parts.faults.cut(sid, other, 0, this.#parts.timeline.nowMs + forMs);
  }

  /** Nothing reaches this port of the server, or the answers; nobody is told. */
  cutOff(sid: number, port: number, forMs = LONG_MS): void {
    const untilMs = this.nowMs + forMs;
    for (const other of this.members) {
      if (other.sid !== sid) this.#parts.faults.cut(other.sid, sid, port, untilMs);
    }
  }

  /** What others say does not reach it; they hear it. */
  deafen(sid: number, forMs = LONG_MS): void {
    for (const other of this.members) if (other.sid !== sid) this.gagTowards(other.sid, sid, forMs);
  }

  /** What was cut is whole again; connections that stood still are reset. */
  heal(): void {
    const { faults, network } = this.#parts;
    faults.heal();
    for (const link of [...network.links()]) network.reset(link);
  }

  /** All connections between the two break, or those to that port. */
  hangUp(a: number, b: number, port = 0): void {
    const { network } = this.#parts;
    const hosts = [hostOf(a), hostOf(b)];
    for (const link of [...network.links()]) {
      const { localAddress, remoteAddress, remotePort } = link.near;
      if (port !== 0 && remotePort !== port) continue;
      if (hosts.includes(localAddress) && hosts.includes(remoteAddress)) network.reset(link);
    }
  }

  /** The next flush of its log fails. */
  breakDisk(sid: number): void {
    this.#broken.add(sid);
  }

  /** The next flush of its log, or of a file of that name, takes so long. */
  hangDisk(sid: number, forMs: number, file = '/log.'): Moment {
    const moment = { hasCome: false };
    this.#hung.set(sid, { forMs, moment, file });
    return moment;
  }

  /** Null: as long as a disk takes for it. */
  diskLatencyMs(sid: number, { name, path }: DiskCall): number | null {
    if (name !== 'flush' && name !== 'sync') return null;
    const hang = this.#hung.get(sid);
    if (hang === undefined || !path.includes(hang.file)) return null;
    this.#hung.delete(sid);
    hang.moment.hasCome = true;
    return hang.forMs;
  }

  diskFault(sid: number, call: DiskCall): DiskFault | null {
    const fault = this.cues.awaitsCalls ? this.cues.onCall({ ...call, sid }) : null;
    if (fault !== null) return fault;
    if (call.name !== 'flush' || !this.#broken.delete(sid)) return null;
    return { kind: 'error', code: 'EIO' };
  }

  onMark(sid: number, mark: string, fields: LogFields): void {
    const more = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
    this.#said.push({ sid, text: [mark, ...more].join(' ') });
  }

  /** How often a server (0: any) has logged this. */
  count(sid: number, text: string): number {
    return this.#said.filter((one) => (sid === 0 || one.sid === sid) && one.text.includes(text))
      .length;
  }

  /** While it is down: a snapshot of all that its log holds, and no older one is left unless `keeps`. */
  snapshotOf(sid: number, keeps: boolean): Wait {
    const member = this.member(sid);
    const work = snapshotAlone(member.image, member.config, keeps);
    return { what: 'a snapshot', isOver: () => true, work };
  }

  /** While it is down: a file beside its logs. */
  writeFile(sid: number, name: string, text: string): void {
    const { image, config } = this.member(sid);
    const disk = new SimDisk({ image });
    const directory = `${config.dataLogDir}/version-2`;
    const file = disk.openNow(`${directory}/${name}`, 'create');
    const bytes = new TextEncoder().encode(text);
    file.writeNow(bytes, 0, bytes.length, 0);
    file.syncNow();
    file.closeNow();
    disk.syncDirectoryNow(directory);
  }

  /** While it is down: no log is left, only its snapshots. */
  loseLogs(sid: number): void {
    const { image, config } = this.member(sid);
    const disk = new SimDisk({ image });
    const directory = `${config.dataLogDir}/version-2`;
    for (const { name } of disk.listNow(directory)) {
      if (name.startsWith('log.')) disk.unlinkNow(`${directory}/${name}`);
    }
    disk.syncDirectoryNow(directory);
  }

  /** The server that logged this last; 0: none did. */
  lastToSay(text: string): number {
    return this.#said.findLast((one) => one.text.includes(text))?.sid ?? 0;
  }

  fail(message: string): void {
    this.#parts.fail('scenario', message);
  }

  // ------------------------------------------------------------------ what to wait for

  until(what: string, isOver: () => boolean): Wait {
    return { what, isOver };
  }

  forMs(ms: number): Wait {
    const { timeline } = this.#parts;
    const untilMs = timeline.nowMs + ms;
    return { what: 'time', isOver: () => timeline.nowMs >= untilMs };
  }

  serving(...sids: readonly number[]): Wait {
    const serves = (sid: number): boolean => this.member(sid).member?.server?.isServing === true;
    return { what: `${sids.join()} serve`, isOver: () => sids.every(serves) };
  }

  written(more: number): Wait {
    const due = this.txns + more;
    return { what: `${more} transactions more`, isOver: () => this.txns >= due };
  }

  logged(sid: number, text: string): Wait {
    const before = this.count(sid, text);
    return {
      what: `server ${sid} logs "${text}"`,
      isOver: () => this.count(sid, text) > before,
    };
  }
}
