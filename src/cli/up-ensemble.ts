/**
 * The servers of `zabra up` and the balancers before them, each a process of its own. This one holds no
 * data and serves nobody: it writes their configurations, starts them, starts them again, looks at them,
 * and stops them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { compatibleVersion, packageVersion } from '../server/version.js';
import type { Terminal } from './terminal.js';
import { UpChild } from './up-child.js';
import type { UpFolder } from './up-folder.js';
import { host, portsFor, type UpPorts } from './up-ports.js';
import { screenFor, type UpRow, type UpScreen } from './up-screen.js';
import { lookAt, lookAtBalancer, type Sight } from './up-sight.js';
import { removeUpState, writeUpState } from './up-state.js';
import { leaderAmong, UpStory } from './up-story.js';

const lookIntervalMs = 500;
/** At first a person waits for it. */
const firstLooksIntervalMs = 50;
const firstLooksMs = 10_000;

export interface EnsembleOptions {
  readonly size: number;
  readonly balancers: number;
  readonly folder: UpFolder;
  /** Null: the usual ones; 0: any free ones. */
  readonly firstPort: number | null;
  /** For each `zabra server` and `zabra balance`. */
  readonly arguments: readonly string[];
}

/** Returns when `stopped` has resolved and everything that was started is gone. */
export async function runEnsemble(
  options: EnsembleOptions,
  terminal: Terminal,
  stopped: Promise<unknown>,
): Promise<void> {
  const { size, balancers, folder, firstPort } = options;
  const ports = await portsFor(size, balancers, firstPort, terminal);
  const screen = screenFor(terminal, headingOf(folder, ports));
  const ensemble = new UpEnsemble(options, ports, screen);
  ensemble.start();
  try {
    const watching = new AbortController();
    const watched = ensemble.watch(watching.signal);
    await stopped;
    watching.abort();
    await watched;
    await ensemble.stop();
  } finally {
    removeUpState(folder.path);
  }
  terminal.print('stopped\n');
}

function headingOf(folder: UpFolder, { servers, balancers }: UpPorts): string[] {
  const count = servers.length;
  const what = count === 1 ? 'one server' : `${count} servers`;
  const places = count === 1 ? '' : ` to ${count}`;
  const clients = servers.map(({ client }) => client);
  const admins = servers.map(({ admin }) => admin).join(', ');
  const hasBalancers = balancers.length > 0;
  return [
    `connect to ${connectStringOf(hasBalancers ? balancers : clients)}`,
    `Zabra ${packageVersion}, for clients a ZooKeeper ${compatibleVersion}: ${what}, ` +
      `data and logs in ${folder.serverFolder(1)}${places}`,
    ...(hasBalancers ? [`servers behind the balancers: ${connectStringOf(clients)}`] : []),
    `AdminServer: http://${host}:PORT/commands, ports ${admins}`,
    `Ctrl-C stops ${count === 1 ? 'it' : 'them'}; in another terminal: zabra up status, zabra up stop`,
  ];
}

export function connectStringOf(clientPorts: readonly number[]): string {
  return clientPorts.map((port) => `${host}:${port}`).join(',');
}

interface Seat {
  readonly child: UpChild;
  readonly index: number;
  readonly clientPort: number;
}

class UpEnsemble {
  readonly #folder: UpFolder;
  readonly #ports: UpPorts;
  readonly #screen: UpScreen;
  readonly #arguments: readonly string[];
  readonly #servers: readonly Seat[];
  readonly #balancers: readonly Seat[];
  readonly #story = new UpStory();
  #isReady = false;

  constructor(options: EnsembleOptions, ports: UpPorts, screen: UpScreen) {
    this.#folder = options.folder;
    this.#ports = ports;
    this.#screen = screen;
    this.#arguments = options.arguments;
    this.#servers = ports.servers.map(({ client }, at) => this.#server(at + 1, client));
    this.#balancers = ports.balancers.map((port, at) => this.#balancer(at + 1, port));
  }

  #server(sid: number, clientPort: number): Seat {
    const folder = this.#folder;
    const { servers } = this.#ports;
    const command = ['server', folder.prepare(sid, servers), ...this.#arguments];
    const child = new UpChild({
      ...{ command, logFile: folder.logFile(sid) },
      prepare: () => folder.mend(sid, servers),
      onStart: () => this.#write(),
      onDeath: (reason, pauseMs) => {
        this.#story.onDeath(sid);
        this.#onDeath(`server ${sid}`, reason, pauseMs);
      },
    });
    return { child, index: sid, clientPort };
  }

  #balancer(index: number, clientPort: number): Seat {
    const folder = this.#folder;
    const options = folder.prepareBalancer(index, this.#ports);
    const child = new UpChild({
      command: ['balance', '--config', options, ...this.#arguments],
      logFile: folder.balancerLogFile(index),
      prepare: () => folder.mendBalancer(index, this.#ports),
      onStart: () => this.#write(),
      onDeath: (reason, pauseMs) => this.#onDeath(`balancer ${index}`, reason, pauseMs),
    });
    return { child, index, clientPort };
  }

  #onDeath(who: string, reason: string, pauseMs: number): void {
    this.#screen.tell(`${who} died (${reason}): it starts again in ${pauseMs / 1000} s`);
    this.#write();
  }

  start(): void {
    for (const { child } of [...this.#servers, ...this.#balancers]) child.start();
  }

  async watch(signal: AbortSignal): Promise<void> {
    const hurriedUntilMs = performance.now() + firstLooksMs;
    while (!signal.aborted) {
      const [servers, balancers] = await Promise.all([
        Promise.all(this.#servers.map((seat) => rowOf(seat, '', lookAt))),
        Promise.all(this.#balancers.map((seat) => rowOf(seat, 'b', lookAtBalancer))),
      ]);
      this.#screen.show([...servers, ...balancers]);
      const sights = new Map<number, Sight>(servers.map(({ sight }, at) => [at + 1, sight]));
      for (const line of this.#story.look(sights)) this.#screen.tell(line);
      this.#tellReady(sights, balancers);
      const isHurried = !this.#isReady && performance.now() < hurriedUntilMs;
      const pauseMs = isHurried ? firstLooksIntervalMs : lookIntervalMs;
      // to be woken is no failure
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Clients first, so that none is sent to a server that is about to go. */
  async stop(): Promise<void> {
    await Promise.all(this.#balancers.map(({ child }) => child.stop()));
    // all at once: a quorum that is still there would only elect again
    await Promise.all(this.#servers.map(({ child }) => child.stop()));
  }

  /** Once, with the time since the command was given. */
  #tellReady(sights: ReadonlyMap<number, Sight>, balancers: readonly UpRow[]): void {
    const all = [...sights.values(), ...balancers.map(({ sight }) => sight)];
    if (this.#isReady || !all.every(({ kind }) => kind === 'serving')) return;
    const leader = leaderAmong(sights);
    if (sights.size > 1 && leader === null) return;
    this.#isReady = true;
    const who = leader === null ? '' : `, server ${leader} leads`;
    this.#screen.tell(`ready after ${(performance.now() / 1000).toFixed(1)} s${who}`);
  }

  #write(): void {
    const { servers: ports } = this.#ports;
    writeUpState(this.#folder.path, {
      pid: process.pid,
      servers: this.#servers.map(({ child: { pid, restarts }, index, clientPort }) => {
        const adminPort = ports[index - 1]?.admin ?? 0;
        return { sid: index, clientPort, adminPort, pid, restarts };
      }),
      balancers: this.#balancers.map(({ child: { pid, restarts }, index, clientPort }) => {
        return { index, clientPort, pid, restarts };
      }),
    });
  }
}

async function rowOf(
  { child, index, clientPort }: Seat,
  kind: string,
  look: (host: string, port: number) => Promise<Sight>,
): Promise<UpRow> {
  const { pid } = child;
  const asked: Sight = pid === null ? { kind: 'silent' } : await look(host, clientPort);
  // it may have died while it was asked
  const sight: Sight = child.pid === pid ? asked : { kind: 'silent' };
  if (sight.kind === 'serving') child.served();
  const { isStarting, restarts } = child;
  return { name: `${kind}${index}`, clientPort, pid: child.pid, isStarting, restarts, sight };
}
