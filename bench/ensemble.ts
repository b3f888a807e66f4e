/**
 * Three servers of one kind under measurement, on this machine, with one another's addresses in the
 * same zoo.cfg. Any of them can be taken away and brought back on its directory and its ports, and
 * somebody has to be able to tell when all of them are one ensemble again.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { steadyPort } from '../test/support/golden-peer/steady-port.js';
import type { Serving } from './figures.js';
import type { Peer } from './peers.js';
import type { Programs, Target } from './programs.js';
import { BenchServer } from './server.js';

const sids = [1, 2, 3] as const;
export type Sid = (typeof sids)[number];

const pollMs = 5;
const inSyncSecondsMax = 120;
const endSecondsMax = 20;

export interface EnsembleOptions {
  /** Holds a directory for each server. */
  readonly workDir: string;
  /** Beside what every server here gets. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether servers that can report on their event loops. */
  readonly isProbed?: boolean;
}

interface Member {
  readonly sid: Sid;
  readonly port: number;
  readonly workDir: string;
  server: BenchServer;
}

export interface Roles {
  readonly leader: Sid;
  readonly followers: readonly Sid[];
}

export class BenchEnsemble implements Target {
  readonly #peer: Peer;
  readonly #programs: Programs;
  readonly #options: EnsembleOptions;
  readonly #settings: Record<string, string>;
  readonly #members = new Map<Sid, Member>();

  /** Resolves when all three serve; on an error none of them is left. */
  static async start(
    peer: Peer,
    programs: Programs,
    options: EnsembleOptions,
  ): Promise<BenchEnsemble> {
    const ensemble = new BenchEnsemble(peer, programs, options);
    try {
      await ensemble.#startAll();
      await ensemble.untilWhole();
    } catch (error) {
      await ensemble.dispose();
      throw error;
    }
    return ensemble;
  }

  private constructor(peer: Peer, programs: Programs, options: EnsembleOptions) {
    this.#peer = peer;
    this.#programs = programs;
    this.#options = options;
    this.#settings = { initLimit: '10', syncLimit: '5', ...options.settings };
  }

  async #startAll(): Promise<void> {
    const ports: Record<Sid, number> = { 1: 0, 2: 0, 3: 0 };
    for (const sid of sids) {
      ports[sid] = await steadyPort();
      const peers = `${await steadyPort()}:${await steadyPort()}`;
      this.#settings[`server.${sid}`] = `127.0.0.1:${peers}`;
    }
    for (const sid of sids) {
      const workDir = join(this.#options.workDir, String(sid));
      writeMyid(workDir, sid);
      const server = this.#spawn(sid, ports[sid], workDir);
      this.#members.set(sid, { sid, port: ports[sid], workDir, server });
    }
    await Promise.all(sids.map((sid) => this.server(sid).untilAnswering(this.#programs)));
  }

  #spawn(sid: Sid, port: number, workDir: string): BenchServer {
    const probe = this.#options.isProbed === true ? this.#peer.loopProbe : null;
    const env = { ...this.#options.env, ...probe?.(this.loopTurnsFile(sid)) };
    return BenchServer.spawn(this.#peer, { workDir, port, settings: this.#settings, env });
  }

  /** All three: connections are spread over them, CPU time is the sum. */
  get address(): string {
    return this.#servers.map((server) => server.address).join();
  }

  get pids(): readonly number[] {
    return this.#servers.map((server) => server.pid);
  }

  get #servers(): readonly BenchServer[] {
    return [...this.#members.values()].map((member) => member.server);
  }

  get workDir(): string {
    return this.#options.workDir;
  }

  /** What the probe in that server's event loop writes; not there without one. */
  loopTurnsFile(sid: Sid): string {
    return join(this.workDir, `loop-turns-${sid}`);
  }

  server(sid: Sid): BenchServer {
    return this.#member(sid).server;
  }

  /** These together, as one target. */
  several(some: readonly Sid[]): Target {
    const servers = some.map((sid) => this.server(sid));
    return {
      address: servers.map((server) => server.address).join(),
      pids: servers.map((server) => server.pid),
    };
  }

  /** Until the process has ended that was told to; throws when it does not. */
  async untilEnded(sid: Sid): Promise<void> {
    const isOver = this.server(sid).exited.then(() => true);
    const late = new AbortController();
    const timer = sleep(endSecondsMax * 1000, false, { signal: late.signal }).catch(() => false);
    const hasEnded = await Promise.race([isOver, timer]);
    late.abort();
    if (!hasEnded) throw new Error(`server ${sid} has not ended within ${endSecondsMax} s`);
  }

  /** A new process on the same directory and ports; does not wait for it. */
  spawnAgain(sid: Sid): BenchServer {
    const member = this.#member(sid);
    member.server = this.#spawn(sid, member.port, member.workDir);
    return member.server;
  }

  /** The same, and until it serves as one of three. */
  async startAgain(sid: Sid): Promise<void> {
    await this.spawnAgain(sid).untilAnswering(this.#programs);
    await this.untilWhole();
  }

  /** All data of a server that has ended is gone; its number is not. */
  wipe(sid: Sid): void {
    const { workDir, server } = this.#member(sid);
    rmSync(server.dataDir, { recursive: true, force: true });
    writeMyid(workDir, sid);
  }

  /** The transaction that this server knows last. */
  async zxid(sid: Sid): Promise<bigint> {
    return await until(`server ${sid} to serve`, async () => {
      const { zxid } = (await this.server(sid).serving()) ?? {};
      return zxid ?? null;
    });
  }

  /** Until that server follows and knows this transaction. */
  async untilFollowing(sid: Sid, zxid: bigint): Promise<void> {
    await until(`server ${sid} to be in sync`, async () => {
      const now = await this.server(sid).serving();
      return now?.role === 'follower' && now.zxid >= zxid ? now : null;
    });
  }

  /**
   * One leads, two follow, and all three know the same transaction last and have as many znodes. For
   * when nobody writes.
   */
  async untilWhole(): Promise<Roles> {
    return await until('three servers in sync', async () => {
      const all: (Serving & { sid: Sid })[] = [];
      for (const sid of sids) {
        const now = await this.server(sid).serving();
        if (now === null) return null;
        all.push({ ...now, sid });
      }
      const leaders = all.filter(({ role }) => role === 'leader').map(({ sid }) => sid);
      const followers = all.filter(({ role }) => role === 'follower').map(({ sid }) => sid);
      const [leader] = leaders;
      if (leader === undefined || leaders.length > 1 || followers.length !== 2) return null;
      const isSame = all.every(
        ({ zxid, znodes }) => zxid === all[0]?.zxid && znodes === all[0].znodes,
      );
      return isSame ? { leader, followers } : null;
    });
  }

  /** The last of what each of them printed. */
  lastOutput(): string {
    const parts = [...this.#members.values()].map(
      ({ sid, server }) => `server ${sid}:\n${server.lastOutput()}`,
    );
    return parts.join('\n');
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.kill()));
  }

  #member(sid: Sid): Member {
    const member = this.#members.get(sid);
    if (member === undefined) throw new Error(`server ${sid} was never started`);
    return member;
  }
}

function writeMyid(workDir: string, sid: Sid): void {
  const dataDir = join(workDir, 'data');
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(join(dataDir, 'myid'), `${sid}\n`);
}

async function until<Found>(what: string, look: () => Promise<Found | null>): Promise<Found> {
  const endMs = Date.now() + inSyncSecondsMax * 1000;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > endMs) throw new Error(`waited ${inSyncSecondsMax} s for ${what}`);
    await sleep(pollMs);
  }
}
