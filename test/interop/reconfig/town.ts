/**
 * Servers of an ensemble whose membership changes: each has a directory with a zoo.cfg of its own that
 * it may write to, and is started on what it left there, by the kind that left it or by the other.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kind } from '../../cluster/members.js';
import { fourLetterWord, type Address } from '../../support/four-letter.js';
import { steadyPort } from '../../support/golden-peer/steady-port.js';
import { repositoryRoot, temporaryDirectory } from '../../support/machine.js';
import { classPath } from '../../support/maven.js';
import { logbackToStdout, oracleJars, smallJvm } from '../../support/oracle.js';

export const superUser = { name: 'super', secret: 'reconfig' };
/** Of the two above, as `zookeeper.DigestAuthenticationProvider.superDigest` wants it. */
const superDigest = 'super:0IfulLovh7nRLTMiwMmHcRw2FTg=';

export type Role = 'participant' | 'observer';

export interface Place {
  readonly client: number;
  readonly quorum: number;
  readonly election: number;
}

export interface Citizen {
  readonly sid: number;
  readonly kind: Kind;
  readonly directory: string;
  place: Place;
  child: ChildProcess | null;
}

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export class Town {
  readonly home = temporaryDirectory('reconfig');
  readonly citizens = new Map<number, Citizen>();
  readonly #settings: Readonly<Record<string, string>>;

  /** `settings`: lines of every zoo.cfg beside those of a reconfigurable ensemble. */
  constructor(settings: Readonly<Record<string, string>> = {}) {
    this.#settings = settings;
  }

  /** A place and a directory; `settle` writes what stands there. */
  async add(sid: number, kind: Kind): Promise<Citizen> {
    const directory = join(this.home, String(sid));
    mkdirSync(join(directory, 'data'), { recursive: true });
    writeFileSync(join(directory, 'data', 'myid'), `${sid}\n`);
    const citizen = { sid, kind, directory, place: await newPlace(), child: null };
    this.citizens.set(sid, citizen);
    return citizen;
  }

  /** zoo.cfg with these members in it; a server's own line tells its role. */
  settle(sid: number, members: readonly (readonly [sid: number, role: Role])[]): void {
    const { directory } = this.of(sid);
    const lines = {
      tickTime: '500',
      initLimit: '20',
      syncLimit: '10',
      dataDir: join(directory, 'data'),
      reconfigEnabled: 'true',
      'admin.enableServer': 'false',
      '4lw.commands.whitelist': '*',
      preAllocSize: '1024',
      ...this.#settings,
    };
    const text = Object.entries(lines).map(([key, value]) => `${key}=${value}`);
    for (const [other, role] of members) text.push(this.lineOf(other, role));
    writeFileSync(this.configFileOf(sid), `${text.join('\n')}\n`);
  }

  /** Of a new ensemble: two of three may begin without waiting for the third. */
  initialize(sid: number): void {
    writeFileSync(join(this.of(sid).directory, 'data', 'initialize'), '');
  }

  lineOf(sid: number, role: Role = 'participant', place: Place = this.of(sid).place): string {
    const { client, quorum, election } = place;
    return `server.${sid}=127.0.0.1:${quorum}:${election}:${role};127.0.0.1:${client}`;
  }

  configFileOf(sid: number): string {
    return join(this.of(sid).directory, 'zoo.cfg');
  }

  of(sid: number): Citizen {
    const citizen = this.citizens.get(sid);
    if (citizen === undefined) throw new Error(`no server ${sid}`);
    return citizen;
  }

  addressOf(sid: number): Address {
    return { host: '127.0.0.1', port: this.of(sid).place.client };
  }

  /** Starts the process and waits until it serves. */
  async start(sid: number, kind: Kind = this.of(sid).kind): Promise<void> {
    await this.launch(sid, kind);
    await this.untilMode(sid, /leader|follower|observer/);
  }

  async launch(sid: number, kind: Kind = this.of(sid).kind): Promise<void> {
    const citizen = this.of(sid);
    const file = this.configFileOf(sid);
    const properties = [`-Dzookeeper.DigestAuthenticationProvider.superDigest=${superDigest}`];
    const output = openSync(this.logFileOf(sid), 'a');
    const [program, ...given] =
      kind === 'zabra'
        ? [process.execPath, join(repositoryRoot, 'bin', 'zabra'), 'server', file, ...properties]
        : await this.#apache(citizen, properties, file);
    const child = spawn(program ?? '', given, {
      stdio: ['ignore', output, output],
      cwd: citizen.directory,
    });
    closeSync(output);
    living.add(child);
    citizen.child = child;
    child.once('exit', () => {
      living.delete(child);
      if (citizen.child === child) citizen.child = null;
    });
  }

  async #apache(citizen: Citizen, properties: string[], file: string): Promise<string[]> {
    const lib = await oracleJars('3.9.5');
    writeFileSync(join(citizen.directory, 'logback.xml'), logbackToStdout);
    const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
    const path = classPath(lib, citizen.directory);
    return ['java', ...smallJvm, ...properties, '-cp', path, main, file];
  }

  /** Stops the process and waits for its end. */
  async stop(sid: number, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const { child } = this.of(sid);
    if (child === null) return;
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => {
        resolve();
      });
    });
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  }

  /** leader, follower, observer; empty while it does not serve. */
  async modeOf(sid: number): Promise<string> {
    const answer = await fourLetterWord(this.addressOf(sid), 'srvr', 1000).catch(() => '');
    return /^Mode: (\w+)$/m.exec(answer)?.[1] ?? '';
  }

  async untilMode(sid: number, wanted: RegExp, timeoutMs = 40_000): Promise<string> {
    const endMs = Date.now() + timeoutMs;
    for (;;) {
      const mode = await this.modeOf(sid);
      if (wanted.test(mode)) return mode;
      if (Date.now() > endMs) {
        throw new Error(`server ${sid} is '${mode}' after ${timeoutMs} ms, not ${String(wanted)}`);
      }
      await sleep(50);
    }
  }

  /** The files beside zoo.cfg, and zoo.cfg, as they are now. */
  filesOf(sid: number): ReadonlyMap<string, string> {
    const { directory } = this.of(sid);
    const files = readdirSync(directory).filter((name) => name.startsWith('zoo.cfg'));
    return new Map(files.sort().map((name) => [name, readFileSync(join(directory, name), 'utf8')]));
  }

  logFileOf(sid: number): string {
    return join(this.home, `server-${sid}.log`);
  }

  note(text: string): void {
    for (const sid of this.citizens.keys()) {
      if (existsSync(this.logFileOf(sid))) appendFileSync(this.logFileOf(sid), `--- ${text}\n`);
    }
  }

  async dispose(isToBeKept: boolean): Promise<void> {
    await Promise.all([...this.citizens.keys()].map((sid) => this.stop(sid, 'SIGKILL')));
    if (!isToBeKept) rmSync(this.home, { recursive: true, force: true });
  }
}

export async function newPlace(): Promise<Place> {
  return { client: await steadyPort(), quorum: await steadyPort(), election: await steadyPort() };
}
