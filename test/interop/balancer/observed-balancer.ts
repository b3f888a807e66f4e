/** A balancer as a process, with its control file: what it says of itself, and what an operator does. */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BalancerOptions, BalancerStatus } from 'zabra/balancer';
import { repositoryRoot, temporaryDirectory } from '../../support/machine.js';
import { ZabraBalancer } from '../../support/zabra-balancer.js';

type Options = Partial<Omit<BalancerOptions, 'listen'>>;

const LOOK_MS = 50;
/** So that nothing has to be waited for which is slow on purpose, and numbers are what they are to be. */
const brisk: Options = {
  policy: 'least-connections',
  slowStartMs: 0,
  health: { intervalMs: 500, retryMs: 200 },
  rebalance: { movesPerSecond: 200 },
};

export class ObservedBalancer {
  /** Of those that have been disposed of, since somebody asked last. */
  static #logs: string[] = [];
  readonly process: ZabraBalancer;
  readonly #directory: string;

  static async start(options: Options): Promise<ObservedBalancer> {
    const directory = temporaryDirectory('balancer-options');
    const config = join(directory, 'options.json');
    const control = { file: controlFileIn(directory) };
    writeFileSync(config, JSON.stringify({ ...brisk, ...options, control }));
    return new ObservedBalancer(await ZabraBalancer.start([], ['--config', config]), directory);
  }

  private constructor(process: ZabraBalancer, directory: string) {
    this.process = process;
    this.#directory = directory;
  }

  static takeLogs(): string[] {
    return ObservedBalancer.#logs.splice(0);
  }

  get connectString(): string {
    return this.process.connectString;
  }

  async status(): Promise<BalancerStatus> {
    const file = readFileSync(controlFileIn(this.#directory), 'utf8');
    const { host, port, token } = JSON.parse(file) as { host: string; port: number; token: string };
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`http://${host}:${port}/status`, { headers });
    return (await response.json()) as BalancerStatus;
  }

  /** How many sessions each server has, by port; only of those that are asked for. */
  async sessionsAt(...ports: readonly number[]): Promise<number[]> {
    const { servers } = await this.status();
    return ports.map((port) => {
      const server = servers.find(({ id }) => id.endsWith(`:${port}`));
      return server?.sessions ?? 0;
    });
  }

  async setAt(port: number): Promise<string> {
    const { servers } = await this.status();
    return servers.find(({ id }) => id.endsWith(`:${port}`))?.set ?? 'none';
  }

  /** The last of what `look` found; it ends as soon as `isEnough`. */
  async until<T>(look: () => Promise<T>, isEnough: (found: T) => boolean, ms = 10_000): Promise<T> {
    const endMs = Date.now() + ms;
    for (;;) {
      const found = await look();
      if (isEnough(found) || Date.now() > endMs) return found;
      await sleep(LOOK_MS);
    }
  }

  /** `zabra balance …` from another terminal: its exit code, and what it said. */
  async steer(...argv: readonly string[]): Promise<{ code: number; said: string }> {
    const program = join(repositoryRoot, 'bin', 'zabra');
    const args = [program, 'balance', ...argv, '--control-file', controlFileIn(this.#directory)];
    return await new Promise((resolve) => {
      execFile(process.execPath, args, { timeout: 60_000 }, (error, out, err) => {
        const code = error === null ? 0 : Number(error.code ?? -1);
        resolve({ code, said: `${out}${err}`.trim() });
      });
    });
  }

  async dispose(): Promise<void> {
    ObservedBalancer.#logs.push(this.process.log());
    await this.process.dispose();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function controlFileIn(directory: string): string {
  return join(directory, 'control.json');
}
