/**
 * `zabra up --servers 3`: an ensemble on this machine, each server a process of its own. This one
 * holds no data and serves nobody: it writes the servers' configurations, starts them, starts them
 * again, looks at them, and stops them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { compatibleVersion, packageVersion } from '../server/version.js';
import type { Terminal } from './terminal.js';
import { ServerChild } from './up-child.js';
import type { UpFolder } from './up-folder.js';
import { ensemblePorts, host, type ServerPorts } from './up-ports.js';
import { screenFor, type UpRow, type UpScreen } from './up-screen.js';
import { lookAt, type Sight } from './up-sight.js';
import { UpStory } from './up-story.js';

const lookIntervalMs = 500;

export interface EnsembleOptions {
  readonly size: number;
  readonly folder: UpFolder;
  /** 0: any free ones. */
  readonly firstPort: number;
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
  const ports = await ensemblePorts(size, firstPort, terminal);
  const screen = screenFor(terminal, [
    `connect to ${ports.map(({ client }) => `${host}:${client}`).join(',')}`,
    `Zabra ${packageVersion}, for clients a ZooKeeper ${compatibleVersion}: ${size} servers, ` +
      `data and logs in ${folder.serverFolder(1)} to ${size}`,
    'Ctrl-C stops them',
  ]);
  const ensemble = new UpEnsemble(options, ports, screen);
  ensemble.start();
  const watching = new AbortController();
  const watched = ensemble.watch(watching.signal);
  await stopped;
  watching.abort();
  await watched;
  await ensemble.stop();
  terminal.print('stopped\n');
}

class UpEnsemble {
  readonly #ports: readonly ServerPorts[];
  readonly #screen: UpScreen;
  readonly #children: readonly ServerChild[];
  readonly #story = new UpStory();

  constructor(options: EnsembleOptions, ports: readonly ServerPorts[], screen: UpScreen) {
    const { folder } = options;
    this.#ports = ports;
    this.#screen = screen;
    this.#children = ports.map((_, index) => {
      const sid = index + 1;
      return new ServerChild({
        sid,
        configFile: folder.prepare(sid, ports),
        logFile: folder.logFile(sid),
        arguments: options.arguments,
        onDeath: (reason, pauseMs) => {
          this.#story.onDeath(sid);
          screen.tell(`server ${sid} died (${reason}): it starts again in ${pauseMs / 1000} s`);
        },
      });
    });
  }

  start(): void {
    for (const child of this.#children) child.start();
  }

  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const rows = await Promise.all(this.#children.map((child) => this.#rowOf(child)));
      const sights = new Map<number, Sight>(rows.map(({ sid, sight }) => [sid, sight]));
      this.#screen.show(rows);
      for (const line of this.#story.look(sights)) this.#screen.tell(line);
      // to be woken is no failure
      await sleep(lookIntervalMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** All at once: a quorum that is still there would only elect again. */
  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }

  async #rowOf(child: ServerChild): Promise<UpRow> {
    const { sid, pid } = child;
    const port = this.#ports[sid - 1]?.client ?? 0;
    const sight: Sight = pid === null ? { kind: 'silent' } : await lookAt(host, port);
    // it may have died while it was asked
    const isSame = child.pid === pid;
    return {
      sid,
      address: `${host}:${port}`,
      pid: child.pid,
      sight: isSame ? sight : { kind: 'silent' },
    };
  }
}
