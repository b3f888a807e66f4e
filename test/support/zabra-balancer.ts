/**
 * Our balancer as a child process before a server, with the face of that server: the tests talk to the
 * balancer and do not know of it. What ends or starts, ends or starts the server; the balancer stays.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fourLetterWord } from './four-letter.js';
import { freePort, repositoryRoot, temporaryDirectory } from './machine.js';
import type { ServerProcess } from './server-process.js';

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

const START_TIMEOUT_MS = 30_000;

export class ZabraBalancer {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #workDir: string;
  readonly #logFile: string;
  readonly #exited: Promise<void>;
  #isToEnd = false;
  #hasEnded = false;

  /**
   * Before these servers (host:port; none: the options say which), on a free port unless told; resolves
   * when it answers.
   */
  static async start(
    servers: readonly string[],
    options: readonly string[] = [],
    port?: number,
  ): Promise<ZabraBalancer> {
    const balancer = new ZabraBalancer(servers, options, port ?? (await freePort()));
    await balancer.#untilThere();
    return balancer;
  }

  private constructor(servers: readonly string[], options: readonly string[], port: number) {
    this.port = port;
    this.#workDir = temporaryDirectory('balancer');
    this.#logFile = join(this.#workDir, 'output.log');
    const output = openSync(this.#logFile, 'a');
    const args = [join(repositoryRoot, 'bin', 'zabra'), 'balance'];
    args.push('--listen', `127.0.0.1:${port}`, ...options);
    if (servers.length > 0) args.push('--servers', servers.join(','));
    this.#child = spawn(process.execPath, args, {
      stdio: ['ignore', output, output],
      cwd: this.#workDir,
    });
    closeSync(output);
    living.add(this.#child);
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        living.delete(this.#child);
        this.#hasEnded = true;
        if (!this.#isToEnd) {
          console.error(`a balancer ended by itself (${code ?? signal}):\n${this.log()}`);
        }
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get connectString(): string {
    return `127.0.0.1:${this.port}`;
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Words are answered by the balancer itself. */
  async word(word: string): Promise<string> {
    return await fourLetterWord({ host: '127.0.0.1', port: this.port }, word, 5_000);
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#isToEnd = true;
    if (!this.#hasEnded) this.#child.kill(signal);
    await this.#exited;
  }

  async dispose(): Promise<void> {
    await this.kill('SIGKILL');
    rmSync(this.#workDir, { recursive: true, force: true });
  }

  async #untilThere(): Promise<void> {
    const deadlineMs = Date.now() + START_TIMEOUT_MS;
    while (!this.#hasEnded) {
      try {
        if ((await this.word('ruok')) === 'imok') return;
      } catch {
        // nobody listens yet
      }
      if (Date.now() > deadlineMs) break;
      await sleep(50);
    }
    const log = this.log();
    await this.dispose();
    throw new Error(`no balancer:\n${log}`);
  }
}

/** The server as its clients meet it through a balancer. */
export async function behindBalancer(server: ServerProcess): Promise<ServerProcess> {
  return facing(server, await ZabraBalancer.start([`${server.host}:${server.port}`]));
}

function facing(server: ServerProcess, balancer: ZabraBalancer): ServerProcess {
  return {
    host: '127.0.0.1',
    port: balancer.port,
    adminPort: server.adminPort,
    pid: server.pid,
    dataDir: server.dataDir,
    exited: server.exited,
    log: () => server.log() + balancer.log(),
    kill: (signal) => server.kill(signal),
    stop: () => server.stop(),
    willEnd: () => {
      server.willEnd();
    },
    startAgain: async () => facing(await server.startAgain(), balancer),
    dispose: async () => {
      await balancer.dispose();
      await server.dispose();
    },
  };
}
