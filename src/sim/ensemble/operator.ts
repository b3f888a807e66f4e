/**
 * Whoever operates a simulated ensemble: takes servers out, lets them in, changes their roles, while
 * everything goes wrong, and sets it right when the faults have ended. It knows what an operator can
 * know, which is what the leader of the moment shows, and keeps the rule that a server which starts
 * outside the configuration may not vote by a memory of its own.
 *
 * What must hold of configurations: one version is one configuration, a server that has activated one
 * does not go back while it lives, and what is committed is durable on a quorum of the configuration
 * that it was committed in, which the chronicle sees to.
 */
import type { SeededRandom } from '../../base/random.js';
import { OpCode } from '../../protocol/opcodes.js';
import { ReconfigRequest } from '../../protocol/records.js';
import { Writer } from '../../protocol/writer.js';
import type { Members } from '../../server/config/members.js';
import { configText } from '../../server/ensemble/config-text.js';
import type { ConfigStore } from '../../server/ensemble/membership.js';
import { PendingWrite } from '../../server/pending.js';
import { Session } from '../../session/session.js';
import type { Timeline } from '../clock.js';
import type { Trace } from '../trace.js';
import { clientPort, electionPort, hostOf, quorumPort } from './parameters.js';
import type { SimMember } from './sim-member.js';

interface OperatorWorld {
  readonly timeline: Timeline;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly meanMs: number;
  /** As the ensemble began, and as it is to be in the end. */
  readonly members: Members;
  servers(): readonly SimMember[];
  readonly fail: (invariant: string, message: string) => void;
}

/** While the ensemble is to become whole again. */
const RETRY_MS = 300;

export class Operator {
  readonly #world: OperatorWorld;
  readonly #texts = new Map<bigint, string>();
  /** In force, by process. */
  readonly #versions = new Map<string, bigint>();
  #isRestoring = false;
  changes = 0;

  constructor(world: OperatorWorld) {
    this.#world = world;
    this.#plan();
  }

  #plan(): void {
    const { timeline, random, meanMs } = this.#world;
    const waitMs = this.#isRestoring ? RETRY_MS : -meanMs * Math.log(1 - random.fraction());
    const isRestoring = this.#isRestoring;
    timeline.after(waitMs, () => {
      if (isRestoring !== this.#isRestoring) return;
      if (!this.isRestored) this.#act();
      this.#plan();
    });
  }

  /** From now on only this: everybody back in, as at the beginning. */
  restore(): void {
    this.#isRestoring = true;
    this.#act();
    this.#plan();
  }

  get isRestored(): boolean {
    if (!this.#isRestoring) return false;
    const inForce = this.#leader()?.member?.membership.inForce.members;
    return inForce !== undefined && this.#difference(inForce) === null;
  }

  #leader(): SimMember | undefined {
    return this.#world.servers().find(({ isLeading }) => isLeading);
  }

  #act(): void {
    const leader = this.#leader();
    const membership = leader?.member?.membership;
    if (leader === undefined || membership === undefined) return;
    const now = membership.inForce.members;
    const request = this.#isRestoring ? this.#difference(now) : this.#change(now);
    if (request === null) return;
    const { trace } = this.#world;
    trace.note('F', 'operator', 'reconfigures', 0, 0, () => JSON.stringify(textOf(request)));
    leader.process?.post(() => {
      submit(leader, request);
    });
  }

  /** What separates it from the ensemble as it began; null: nothing. */
  #difference(now: Members): ReconfigRequest | null {
    for (const { sid, role } of this.#world.members.servers.values()) {
      const is = now.servers.get(sid)?.role;
      if (is === role) continue;
      // an observer is no voter that is up to date, which may be what the quorum lacks: a guest is
      return is === 'observer' ? { ...nothing, leavingServers: String(sid) } : joining(sid, role);
    }
    return null;
  }

  #change(now: Members): ReconfigRequest {
    const { random } = this.#world;
    const { sid } = random.pick(this.#world.servers());
    const role = now.servers.get(sid)?.role;
    if (role === undefined) return joining(sid, random.chance(0.7) ? 'participant' : 'observer');
    switch (random.below(4)) {
      case 0:
        return joining(sid, role === 'observer' ? 'participant' : 'observer');
      case 1: {
        const kept = [...now.servers.values()].filter(() => random.chance(0.7));
        const lines = kept.map((server) => lineOf(server.sid, server.role));
        return { ...nothing, newMembers: lines.join(',') };
      }
      case 2:
        return { ...nothing, joiningServers: lineOf(sid, role) };
      default:
        return { ...nothing, leavingServers: String(sid) };
    }
  }

  // ------------------------------------------------------------------ what must hold

  /** A server has activated, or begins with, what it has in force now. */
  check({ name, member, starts }: SimMember): void {
    const inForce = member?.membership.inForce;
    if (inForce === undefined || inForce.version === 0n) return;
    const { version, text } = inForce;
    const known = this.#texts.get(version);
    if (known === undefined) {
      this.#texts.set(version, text);
      this.changes++;
    } else if (known !== text) {
      this.#world.fail('R1', `${name} has another configuration of version ${hex(version)}`);
    }
    const process = `${name} ${starts}`;
    const before = this.#versions.get(process) ?? 0n;
    if (version < before) {
      this.#world.fail('R2', `${name} goes back from version ${hex(before)} to ${hex(version)}`);
    }
    this.#versions.set(process, version);
  }

  /** Of a server: outlives its process. */
  storeOf(member: SimMember): ConfigStore {
    const { timeline, random } = this.#world;
    const disk = member.configs;
    const write = (change: () => void): Promise<void> => {
      const { process } = member;
      return new Promise((resolve) => {
        const waitMs = (random.chance(0.2) ? 200 : 5) * random.fraction() ** 2;
        timeline.after(waitMs, () => {
          if (process === null || process.isDead) return;
          change();
          process.post(resolve);
        });
      });
    };
    return {
      load: () => {
        const { inForce } = disk;
        if (inForce !== null && !inForce.includes(`server.${member.sid}=`)) {
          // nobody throws away the only copy
          if (this.#isKnownElsewhere(member, inForce)) {
            // its operator writes it a file of its own: the members there are, itself a guest
            if (versionOf(disk.next) <= versionOf(inForce)) disk.next = null;
            disk.inForce = this.#guestFile(member.sid);
          } else {
            disk.next = inForce;
            disk.inForce = disk.before;
          }
        }
        return Promise.resolve({ inForce: disk.inForce, next: disk.next });
      },
      saveNext: (text) =>
        write(() => {
          disk.next = text;
        }),
      commit: (text) =>
        write(() => {
          // the last one that it is in
          if (disk.inForce?.includes(`server.${member.sid}=`) !== false) disk.before = disk.inForce;
          disk.inForce = text;
          disk.next = null;
        }),
    };
  }

  #isKnownElsewhere(member: SimMember, text: string): boolean {
    return this.#world.servers().some(({ sid, configs }) => {
      return sid !== member.sid && versionOf(configs.inForce) >= versionOf(text);
    });
  }

  #guestFile(sid: number): string {
    const newest = [...this.#texts].sort(([a], [b]) => Number(b - a))[0];
    const known = newest?.[1] ?? configText(this.#world.members);
    const own = `server.${sid}=`;
    const lines = known
      .split('\n')
      .filter((line) => line.startsWith('server.') && !line.startsWith(own));
    return [...lines, lineOf(sid, 'observer'), 'version=0'].join('\n');
  }
}

export const nothing: ReconfigRequest = {
  joiningServers: null,
  leavingServers: null,
  newMembers: null,
  curConfigId: -1n,
};

function joining(sid: number, role: 'participant' | 'observer'): ReconfigRequest {
  return { ...nothing, joiningServers: lineOf(sid, role) };
}

export function lineOf(sid: number, role: string): string {
  const host = hostOf(sid);
  return `server.${sid}=${host}:${quorumPort}:${electionPort}:${role};${host}:${clientPort}`;
}

function textOf({ joiningServers, leavingServers, newMembers }: ReconfigRequest): unknown {
  return { joiningServers, leavingServers, newMembers };
}

function versionOf(text: string | null): bigint {
  const found = /^version=([0-9a-f]+)$/m.exec(text ?? '');
  return BigInt(`0x${found?.[1] ?? '0'}`);
}

function hex(version: bigint): string {
  return version.toString(16);
}

/** As the super user's session would, through the leader. */
export function submit(leader: SimMember, request: ReconfigRequest): void {
  const server = leader.member?.server;
  if (server?.isServing !== true || !server.replica.ownsSessions) return;
  const writer = new Writer();
  ReconfigRequest.write(writer, request);
  const into = server.replica.request;
  into.op = OpCode.reconfig;
  into.cxid = 0;
  into.session = new Session(0n, 1000);
  into.sessionHigh = into.sessionLow = 0;
  into.caller = { authIds: [{ scheme: 'super', id: '' }] };
  into.bytes = writer.bytes;
  into.start = 0;
  into.end = writer.pos;
  const nowMs = server.world.clock.monotonicMs();
  server.replica.submit(new PendingWrite(null, OpCode.reconfig, 0, nowMs));
}
