/**
 * The servers of one ensemble as processes, ours or Apache's, on data directories that stay when a
 * process goes: they can be killed, stopped in their tracks, wiped, put back to an earlier state and
 * replaced by the other kind.
 */
import { appendFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fourLetterWord, type Address } from '../support/four-letter.js';
import { steadyPort } from '../support/golden-peer/steady-port.js';
import { temporaryDirectory } from '../support/machine.js';
import { startOracle } from '../support/oracle.js';
import type { Exit, ServerOptions, ServerProcess } from '../support/server-process.js';
import { startZabra } from '../support/zabra-process.js';

export type Kind = 'zabra' | 'apache';

/** Ticks are short so that a paused server is missed soon; the rest stays as everybody has it. */
export const tickMs = 500;
/** In ticks: how long a leader or a follower may say nothing, and a leader's log, before it is left. */
export const syncLimit = 4;
const shared: Readonly<Record<string, string>> = {
  tickTime: String(tickMs),
  initLimit: '40',
  syncLimit: String(syncLimit),
  maxSessionTimeout: '60000',
};

/** Where one of the servers is, when it has a network of its own. */
export interface Place {
  readonly host: string;
  readonly clientPort: number;
  readonly quorumPort: number;
  readonly electionPort: number;
  /** What its process is started through, to be there. */
  readonly through: readonly string[];
}

export interface MembersOptions {
  readonly purpose: string;
  readonly config?: Readonly<Record<string, string>>;
  readonly properties?: Readonly<Record<string, string>>;
  /** Servers that do not vote. */
  readonly observers?: readonly number[];
  /** Of server 1, 2, …; without, all are on this machine's own address, on ports that are free. */
  readonly places?: readonly Place[];
  /** How one of ours is started; without, as everybody starts it. */
  readonly startOurs?: (sid: number, options: ServerOptions) => Promise<ServerProcess>;
}

interface Member {
  readonly sid: number;
  readonly address: Address;
  readonly through: readonly string[];
  readonly dataDir: string;
  kind: Kind;
  server: ServerProcess | null;
  isExpectedToEnd: boolean;
}

export class Members {
  readonly home: string;
  /** Servers that ended although nobody asked them to. */
  readonly deaths: string[] = [];
  readonly #options: MembersOptions;
  readonly #members = new Map<number, Member>();
  readonly #lines: Record<string, string> = {};

  /** Directories and ports; starts nothing. The first kind is server 1. */
  static async prepare(kinds: readonly Kind[], options: MembersOptions): Promise<Members> {
    const members = new Members(options);
    for (const [index, kind] of kinds.entries()) await members.#add(index + 1, kind);
    return members;
  }

  private constructor(options: MembersOptions) {
    this.#options = options;
    this.home = temporaryDirectory(options.purpose);
  }

  async #add(sid: number, kind: Kind): Promise<void> {
    const place = this.#options.places?.[sid - 1] ?? (await placeHere());
    const { host, clientPort, quorumPort, electionPort, through } = place;
    const role = this.#options.observers?.includes(sid) === true ? ':observer' : '';
    this.#lines[`server.${sid}`] = `${host}:${quorumPort}:${electionPort}${role}`;
    const dataDir = join(this.home, String(sid));
    mkdirSync(dataDir);
    writeMyid(dataDir, sid);
    // the ensemble is new: it begins before all of its servers are there
    writeFileSync(join(dataDir, 'initialize'), '');
    const address = { host, port: clientPort };
    const state = { kind, server: null, isExpectedToEnd: false };
    this.#members.set(sid, { sid, address, through, dataDir, ...state });
  }

  get sids(): number[] {
    return [...this.#members.keys()];
  }

  addressOf(sid: number): Address {
    return this.#member(sid).address;
  }

  /** 0 unless the configuration switches the AdminServer on; another one after each start. */
  adminPortOf(sid: number): number {
    return this.#running(sid).adminPort;
  }

  kindOf(sid: number): Kind {
    return this.#member(sid).kind;
  }

  isRunning(sid: number): boolean {
    return this.#member(sid).server !== null;
  }

  /** Starts the process; resolves when it serves, which needs a quorum. */
  async start(sid: number): Promise<void> {
    const member = this.#member(sid);
    const options: ServerOptions = {
      dataDir: member.dataDir,
      ...member.address,
      through: member.through,
      config: { ...shared, ...this.#options.config, ...this.#lines },
      properties: this.#options.properties ?? {},
    };
    const { startOurs } = this.#options;
    const server =
      member.kind === 'apache'
        ? await startOracle('3.9.5', options)
        : await (startOurs?.(sid, options) ?? startZabra(options));
    member.server = server;
    member.isExpectedToEnd = false;
    void server.exited.then(({ code, signal }) => {
      if (member.server === server && !member.isExpectedToEnd) {
        this.deaths.push(`server ${sid} ended by itself (${code ?? signal ?? 'no reason'})`);
      }
    });
  }

  async startAll(sids: readonly number[] = this.sids): Promise<void> {
    await Promise.all(sids.map((sid) => this.start(sid)));
  }

  /** SIGKILL, or another signal that ends the process. */
  async end(sid: number, signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const member = this.#member(sid);
    const { server } = member;
    if (server === null) return;
    member.isExpectedToEnd = true;
    if (signal === 'SIGKILL') await server.kill('SIGKILL');
    else await server.stop();
    member.server = null;
    this.#keepLog(sid, server);
    await server.dispose();
  }

  /** From here on its process may end by itself, and nobody is to wonder. */
  mayEnd(sid: number): void {
    const member = this.#member(sid);
    member.isExpectedToEnd = true;
    member.server?.willEnd();
  }

  /** How the process that may end has ended, and what it said; null: it has not. */
  async untilEnded(sid: number, timeoutMs: number): Promise<(Exit & { said: string }) | null> {
    const member = this.#member(sid);
    const server = this.#running(sid);
    const exit = await Promise.race([server.exited, sleep(timeoutMs, null, { ref: false })]);
    if (exit === null) return null;
    const said = server.log();
    member.server = null;
    this.#keepLog(sid, server);
    await server.dispose();
    return { ...exit, said };
  }

  /** What the process that runs has said so far. */
  saidBy(sid: number): string {
    return this.#running(sid).log();
  }

  dataDirOf(sid: number): string {
    return this.#member(sid).dataDir;
  }

  /** The process stays where it is: it neither reads nor closes anything. */
  pause(sid: number): void {
    process.kill(this.#running(sid).pid, 'SIGSTOP');
  }

  resume(sid: number): void {
    process.kill(this.#running(sid).pid, 'SIGCONT');
  }

  /** All data of a server that has ended is gone; its number is not. */
  wipe(sid: number): void {
    const { dataDir } = this.#member(sid);
    rmSync(dataDir, { recursive: true, force: true });
    mkdirSync(dataDir);
    writeMyid(dataDir, sid);
  }

  /** Keeps the data directory of a server that has ended as it is now. */
  keepCopy(sid: number): void {
    rmSync(this.#copyOf(sid), { recursive: true, force: true });
    cpSync(this.#member(sid).dataDir, this.#copyOf(sid), { recursive: true });
  }

  /** A server that has ended gets back the directory that was kept. */
  restoreCopy(sid: number): void {
    const { dataDir } = this.#member(sid);
    rmSync(dataDir, { recursive: true, force: true });
    cpSync(this.#copyOf(sid), dataDir, { recursive: true });
  }

  /** The next start is of this kind. */
  replaceBy(sid: number, kind: Kind): void {
    this.#member(sid).kind = kind;
  }

  async word(sid: number, word: string, timeoutMs = 2000): Promise<string> {
    return await fourLetterWord(this.addressOf(sid), word, timeoutMs).catch(() => '');
  }

  /** leader, follower, …; empty while the server does not serve. */
  async modeOf(sid: number): Promise<string> {
    return /^Mode: (\w+)$/m.exec(await this.word(sid, 'srvr'))?.[1] ?? '';
  }

  async #leaderNow(): Promise<number | null> {
    const modes = await Promise.all(this.sids.map((sid) => this.modeOf(sid)));
    const leaders = this.sids.filter((_, index) => modes[index] === 'leader');
    return leaders.length === 1 ? (leaders[0] ?? null) : null;
  }

  async leader(timeoutMs = 30_000): Promise<number> {
    const endMs = Date.now() + timeoutMs;
    for (;;) {
      const leader = await this.#leaderNow();
      if (leader !== null) return leader;
      if (Date.now() > endMs) throw new Error(`nobody leads after ${timeoutMs} ms`);
      await sleep(20);
    }
  }

  /** One leads, all others follow it. */
  async untilAllServe(timeoutMs = 60_000): Promise<void> {
    const endMs = Date.now() + timeoutMs;
    for (;;) {
      const modes = await Promise.all(this.sids.map((sid) => this.modeOf(sid)));
      const leaders = modes.filter((mode) => mode === 'leader').length;
      const followers = modes.filter((mode) => mode === 'follower').length;
      if (leaders === 1 && followers === modes.length - 1) return;
      if (Date.now() > endMs) {
        throw new Error(`after ${timeoutMs} ms the servers are: ${modes.join(', ')}`);
      }
      await sleep(20);
    }
  }

  /** Ends everything. What the servers said stays in `home` when it is to be looked at. */
  async dispose(isToBeKept = false): Promise<void> {
    for (const sid of this.sids) {
      if (this.isRunning(sid)) this.resume(sid);
      await this.end(sid, 'SIGKILL');
    }
    if (!isToBeKept) rmSync(this.home, { recursive: true, force: true });
  }

  /** All that this server's processes have printed that ended. */
  logFileOf(sid: number): string {
    return join(this.home, `server-${sid}.log`);
  }

  #keepLog(sid: number, server: ServerProcess): void {
    const now = new Date().toISOString();
    appendFileSync(this.logFileOf(sid), `${server.log()}--- ended ${now}\n`);
  }

  #copyOf(sid: number): string {
    return join(this.home, `copy-${sid}`);
  }

  #running(sid: number): ServerProcess {
    const { server } = this.#member(sid);
    if (server === null) throw new Error(`server ${sid} does not run`);
    return server;
  }

  #member(sid: number): Member {
    const member = this.#members.get(sid);
    if (member === undefined) throw new Error(`no server ${sid}`);
    return member;
  }
}

async function placeHere(): Promise<Place> {
  const clientPort = await steadyPort();
  const quorumPort = await steadyPort();
  const electionPort = await steadyPort();
  return { host: '127.0.0.1', clientPort, quorumPort, electionPort, through: [] };
}

function writeMyid(dataDir: string, sid: number): void {
  writeFileSync(join(dataDir, 'myid'), `${sid}\n`);
}
