/**
 * The folder of `zabra up`: a folder for each server, by its number, which holds its zoo.cfg, its
 * myid, its log and its data, and one for each balancer, with its options and its log. Nothing else tells what was there before, so what is in it decides how
 * many servers start again. One `zabra up` has it at a time.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { lockDirectoryNow } from '../node/directory-lock.js';
import { UsageError } from './arguments.js';
import { propertyText } from './property-text.js';
import { host, type ServerPorts, type UpPorts } from './up-ports.js';

export const sizes = [1, 3, 5, 7] as const;
export type Size = (typeof sizes)[number];

/** What a server, or `up` for it, writes into its folder; anything else is somebody's. */
const ownNames =
  /^(?:version-2(?:\.copy)?|myid|initialize|\.lock|zookeeper_server\.pid|zoo\.cfg(?:\.bak|\.dynamic.*)?|server\.log(?:\.1)?)$/;

const history = /^(?:log|snapshot)\./;

export class UpFolder {
  readonly path: string;
  readonly #release: () => void;

  /** Makes it where there is none. Throws UsageError when another process has it. */
  static take(path: string): UpFolder {
    const absolute = resolve(path);
    mkdirSync(absolute, { recursive: true });
    const lock = lockDirectoryNow(absolute);
    if ('release' in lock) return new UpFolder(absolute, () => lock.release());
    const holder = lock.heldByPid === null ? 'another process' : `process ${lock.heldByPid}`;
    throw new UsageError(`${holder} is using ${absolute}: --data names another folder`);
  }

  private constructor(path: string, release: () => void) {
    this.path = path;
    this.#release = release;
  }

  release(): void {
    this.#release();
  }

  serverFolder(sid: number): string {
    return join(this.path, String(sid));
  }

  logFile(sid: number): string {
    return join(this.serverFolder(sid), 'server.log');
  }

  /** Where the server's snapshots and logs are. */
  dataFolder(sid: number): string {
    return join(this.serverFolder(sid), 'version-2');
  }

  /** Whether the server has a history, be it an empty one. */
  hasData(sid: number): boolean {
    const folder = this.dataFolder(sid);
    return existsSync(folder) && readdirSync(folder).some((name) => history.test(name));
  }

  /** Whether one of so many servers has no history yet. */
  isMissingAny(count: number): boolean {
    return Array.from({ length: count }, (_, index) => index + 1).some((sid) => !this.hasData(sid));
  }

  /** The number of servers whose data is here, as one that `up` would have started; 0: none. */
  get size(): Size | 0 {
    const sids = this.#sids().filter((sid) => this.hasData(sid));
    const last = Math.max(0, ...sids);
    return last === 0 ? 0 : (sizes.find((size) => size >= last) ?? 0);
  }

  /** Throws away every server's data, or, when anything is not a server's or is in use, nothing. */
  throwAway(): void {
    const sids = this.#sids();
    const locks: { release(): void }[] = [];
    try {
      for (const sid of sids) {
        const folder = this.serverFolder(sid);
        const foreign = readdirSync(folder).find((name) => !ownNames.test(name));
        if (foreign !== undefined) {
          throw new UsageError(
            `--fresh: ${join(folder, foreign)} is not a server's, nothing is deleted`,
          );
        }
        const lock = this.lockData(sid);
        if (lock !== null) locks.push(lock);
      }
      for (const sid of sids) emptyFolder(this.dataFolder(sid));
    } finally {
      // before the folders go: the lock is on an inode, which could be another folder's at once
      for (const lock of locks) lock.release();
    }
    for (const sid of sids) rmSync(this.serverFolder(sid), { recursive: true });
  }

  /** Keeps the server from starting; null: it has no data. Throws UsageError when it runs. */
  lockData(sid: number): { release(): void } | null {
    const folder = this.dataFolder(sid);
    if (!existsSync(folder)) return null;
    const lock = lockDirectoryNow(folder);
    if ('release' in lock) return lock;
    const holder = lock.heldByPid === null ? 'a process' : `process ${lock.heldByPid}`;
    throw new UsageError(
      `${holder} is using ${this.serverFolder(sid)}: nothing is deleted, nothing is started`,
    );
  }

  /**
   * Where there is no data at all: says, in Apache's way, that these servers have not lost theirs but
   * never had any.
   */
  allowEmptyStart(count: number): void {
    for (let sid = 1; sid <= count; sid++) {
      mkdirSync(this.serverFolder(sid), { recursive: true });
      writeFileSync(join(this.serverFolder(sid), 'initialize'), '');
    }
  }

  /** Writes what `zabra server` reads; returns the path of zoo.cfg. */
  prepare(sid: number, ports: readonly ServerPorts[]): string {
    const folder = this.serverFolder(sid);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'myid'), `${sid}\n`);
    const log = this.logFile(sid);
    if (existsSync(log)) renameSync(log, `${log}.1`);
    const file = join(folder, 'zoo.cfg');
    writeFileSync(file, zooCfg(folder, sid, ports));
    return file;
  }

  balancerLogFile(index: number): string {
    return join(this.#balancerFolder(index), 'balancer.log');
  }

  /** Writes what `zabra balance` reads; returns the path of it. */
  prepareBalancer(index: number, { balancers, servers }: UpPorts): string {
    const folder = this.#balancerFolder(index);
    mkdirSync(folder, { recursive: true });
    const log = this.balancerLogFile(index);
    if (existsSync(log)) renameSync(log, `${log}.1`);
    const file = join(folder, 'balancer.json');
    const options = {
      listen: `${host}:${balancers[index - 1] ?? 0}`,
      servers: servers.map(({ client }) => `${host}:${client}`).join(','),
      name: `balancer-${index}`,
      words: ['*'],
      control: { file: join(folder, 'control.json') },
    };
    writeFileSync(file, `${JSON.stringify(options, null, 2)}\n`);
    return file;
  }

  /** As of a server: somebody threw its folder away. */
  mendBalancer(index: number, ports: UpPorts): void {
    const file = join(this.#balancerFolder(index), 'balancer.json');
    if (!existsSync(file)) this.prepareBalancer(index, ports);
  }

  #balancerFolder(index: number): string {
    return join(this.path, `balancer-${index}`);
  }

  /** Somebody threw the folder of a running ensemble's server away: it begins anew, without data. */
  mend(sid: number, ports: readonly ServerPorts[]): void {
    if (!existsSync(join(this.serverFolder(sid), 'zoo.cfg'))) this.prepare(sid, ports);
  }

  /** The numbers that an ensemble of `up` can have and that have a folder. */
  #sids(): number[] {
    const all = Array.from({ length: sizes[sizes.length - 1] ?? 0 }, (_, index) => index + 1);
    return all.filter((sid) =>
      statSync(this.serverFolder(sid), { throwIfNoEntry: false })?.isDirectory(),
    );
  }
}

function emptyFolder(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
}

function zooCfg(folder: string, sid: number, ports: readonly ServerPorts[]): string {
  const own = ports[sid - 1];
  const members = ports.map(
    ({ quorum, election }, index) => `server.${index + 1}=${host}:${quorum}:${election}`,
  );
  const lines = [
    '# Written by `zabra up` at each start: what is changed here does not last.',
    'tickTime=2000',
    `dataDir=${propertyText(folder)}`,
    `clientPort=${own?.client ?? 0}`,
    `clientPortAddress=${host}`,
    // all of a balancer's clients come from one address
    'maxClientCnxns=0',
    'preAllocSize=1024',
    // without its data, and without the file `initialize`, it has lost it: the others have it
    'db.autocreate=false',
    'autopurge.purgeInterval=1',
    '4lw.commands.whitelist=*',
    `admin.serverAddress=${host}`,
    `admin.serverPort=${own?.admin ?? 0}`,
    ...(members.length > 1 ? ['initLimit=10', 'syncLimit=5', ...members] : []),
  ];
  return `${lines.join('\n')}\n`;
}
