/**
 * The servers of `zabra up`, each a process of its own. This one holds no data and serves nobody: it
 * writes the servers' configurations, starts them, starts them again, looks at them, and stops them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { compatibleVersion, packageVersion } from '../server/version.js';
import type { Terminal } from './terminal.js';
import { ServerChild } from './up-child.js';
import type { UpFolder } from './up-folder.js';
import { host, portsFor, type ServerPorts } from './up-ports.js';
import { screenFor, type UpRow, type UpScreen } from './up-screen.js';
import { lookAt, type Sight } from './up-sight.js';
import { removeUpState, writeUpState } from './up-state.js';
import { leaderAmong, UpStory } from './up-story.js';

const lookIntervalMs = 500;
/** At first a person waits for it. */
const firstLooksIntervalMs = 50;
const firstLooksMs = 10_000;

export interface EnsembleOptions {
  readonly size: number;
  readonly folder: UpFolder;
  /** Null: the usual ones; 0: any free ones. */
  readonly firstPort: number | null;
  /** For each `zabra server`. */
  readonly arguments: readonly string[];
}

/** Returns when `stopped` has resolved and every server is gone. */
export async function runEnsemble(
  options: EnsembleOptions,
  terminal: Terminal,
  stopped: Promise<unknown>,
): Promise<void> {
  const { size, folder, firstPort } = options;
  const ports = await portsFor(size, firstPort, terminal);
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

function headingOf(folder: UpFolder, ports: readonly ServerPorts[]): string[] {
  const count = ports.length;
  const servers = count === 1 ? 'one server' : `${count} servers`;
  const places = count === 1 ? '' : ` to ${count}`;
  const admins = ports.map(({ admin }) => admin).join(', ');
  return [
    `connect to ${connectStringOf(ports.map(({ client }) => client))}`,
    `Zabra ${packageVersion}, for clients a ZooKeeper ${compatibleVersion}: ${servers}, ` +
      `data and logs in ${folder.serverFolder(1)}${places}`,
    `AdminServer: http://${host}:PORT/commands, ports ${admins}`,
    `Ctrl-C stops ${count === 1 ? 'it' : 'them'}; in another terminal: zabra up status, zabra up stop`,
  ];
}

export function connectStringOf(clientPorts: readonly number[]): string {
  return clientPorts.map((port) => `${host}:${port}`).join(',');
}

class UpEnsemble {
  readonly #folder: UpFolder;
  readonly #ports: readonly ServerPorts[];
  readonly #screen: UpScreen;
  readonly #children: readonly ServerChild[];
  readonly #story = new UpStory();
  #isReady = false;

  constructor(options: EnsembleOptions, ports: readonly ServerPorts[], screen: UpScreen) {
    const { folder } = options;
    this.#folder = folder;
    this.#ports = ports;
    this.#screen = screen;
    this.#children = ports.map((_, index) => {
      const sid = index + 1;
      return new ServerChild({
        sid,
        configFile: folder.prepare(sid, ports),
        logFile: folder.logFile(sid),
        arguments: options.arguments,
        prepare: () => {
          folder.mend(sid, ports);
        },
        onStart: () => {
          this.#write();
        },
        onDeath: (reason, pauseMs) => {
          this.#story.onDeath(sid);
          screen.tell(`server ${sid} died (${reason}): it starts again in ${pauseMs / 1000} s`);
          this.#write();
        },
      });
    });
  }

  start(): void {
    for (const child of this.#children) child.start();
  }

  async watch(signal: AbortSignal): Promise<void> {
    const hurriedUntilMs = performance.now() + firstLooksMs;
    while (!signal.aborted) {
      const rows = await Promise.all(this.#children.map((child) => this.#rowOf(child)));
      const sights = new Map<number, Sight>(rows.map(({ sid, sight }) => [sid, sight]));
      this.#screen.show(rows);
      for (const line of this.#story.look(sights)) this.#screen.tell(line);
      this.#tellReady(sights);
      const isHurried = !this.#isReady && performance.now() < hurriedUntilMs;
      const pauseMs = isHurried ? firstLooksIntervalMs : lookIntervalMs;
      // to be woken is no failure
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** All at once: a quorum that is still there would only elect again. */
  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }

  /** Once, with the time since the command was given. */
  #tellReady(sights: ReadonlyMap<number, Sight>): void {
    const all = [...sights.values()];
    if (this.#isReady || !all.every(({ kind }) => kind === 'serving')) return;
    const leader = leaderAmong(sights);
    if (all.length > 1 && leader === null) return;
    this.#isReady = true;
    const who = leader === null ? '' : `, server ${leader} leads`;
    this.#screen.tell(`ready after ${(performance.now() / 1000).toFixed(1)} s${who}`);
  }

  async #rowOf(child: ServerChild): Promise<UpRow> {
    const { sid, pid } = child;
    const clientPort = this.#ports[sid - 1]?.client ?? 0;
    const asked: Sight = pid === null ? { kind: 'silent' } : await lookAt(host, clientPort);
    // it may have died while it was asked
    const sight: Sight = child.pid === pid ? asked : { kind: 'silent' };
    if (sight.kind === 'serving') child.served();
    const { isStarting, restarts } = child;
    return { sid, clientPort, pid: child.pid, isStarting, restarts, sight };
  }

  #write(): void {
    const servers = this.#children.map(({ sid, pid, restarts }) => {
      const ports = this.#ports[sid - 1];
      return {
        sid,
        clientPort: ports?.client ?? 0,
        adminPort: ports?.admin ?? 0,
        pid,
        restarts,
      };
    });
    writeUpState(this.#folder.path, { pid: process.pid, servers });
  }
}
