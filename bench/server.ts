/**
 * A server under measurement: a child process on a directory of its own, with nothing around it that
 * would cost it time. It counts as started when a getData was answered, which is also how long its
 * start took.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../test/support/machine.js';
import { parseResidentBytes } from './figures.js';
import type { Peer } from './peers.js';
import type { Programs, Target } from './programs.js';

/** The same for everybody. What is not here is at its default, preallocation and snapCount too. */
const commonSettings: Readonly<Record<string, string>> = {
  tickTime: '2000',
  maxClientCnxns: '0',
  forceSync: 'yes',
  'admin.enableServer': 'false',
};

export interface StartOptions {
  /** Holds zoo.cfg, the output and `data`. */
  readonly workDir: string;
  readonly settings?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** What has to be readable for the server to count as started. */
  readonly path?: string;
}

/** Servers do not outlive the benchmark, however it ends. */
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export class BenchServer implements Target {
  readonly address: string;
  readonly pid: number;
  readonly dataDir: string;
  /** From starting the process to the first answer. */
  readonly startMs: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #outputFile: string;

  private constructor(parts: {
    readonly address: string;
    readonly dataDir: string;
    readonly startMs: number;
    readonly child: ChildProcess;
    readonly exited: Promise<void>;
    readonly outputFile: string;
  }) {
    this.address = parts.address;
    this.dataDir = parts.dataDir;
    this.startMs = parts.startMs;
    this.#child = parts.child;
    this.pid = parts.child.pid ?? 0;
    this.#exited = parts.exited;
    this.#outputFile = parts.outputFile;
  }

  static async start(peer: Peer, programs: Programs, options: StartOptions): Promise<BenchServer> {
    const { workDir } = options;
    const dataDir = join(workDir, 'data');
    const port = await freePort();
    mkdirSync(dataDir, { recursive: true });
    const settings = { dataDir, clientPort: String(port), ...commonSettings, ...options.settings };
    const configFile = join(workDir, 'zoo.cfg');
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(configFile, lines.join(''));
    const [program = '', ...args] = peer.command(configFile, workDir);
    const outputFile = join(workDir, 'output.log');
    const output = openSync(outputFile, 'a');
    const spawnedMs = Date.now();
    const child = spawn(program, args, {
      cwd: workDir,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    living.add(child);
    const exited = new Promise<void>((resolve) => {
      const ended = (): void => {
        living.delete(child);
        resolve();
      };
      child.once('error', ended);
      child.once('exit', ended);
    });
    const address = `127.0.0.1:${port}`;
    const waiting = new AbortController();
    void exited.then(() => {
      waiting.abort(new Error(`${peer.title} ended as it was started`));
    });
    try {
      const path = options.path ?? '/';
      const answeredMs = await programs.firstAnswerMs(address, path, waiting.signal);
      const startMs = answeredMs - spawnedMs;
      return new BenchServer({ address, dataDir, startMs, child, exited, outputFile });
    } catch (error) {
      child.kill('SIGKILL');
      const reason: unknown = waiting.signal.aborted ? waiting.signal.reason : error;
      throw new Error(`${String(reason)}\n${lastLines(outputFile)}`, { cause: error });
    }
  }

  residentBytes(): number {
    return parseResidentBytes(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
  }

  /** The last of what it printed. */
  lastOutput(): string {
    return lastLines(this.#outputFile);
  }

  /** kill -9, which is how every server here ends: nothing may depend on a clean stop. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

/** Starts one, does the work and kills it; an error is told with the last of the server's output. */
export async function withServer<Result>(
  peer: Peer,
  programs: Programs,
  options: StartOptions,
  work: (server: BenchServer) => Promise<Result> | Result,
): Promise<Result> {
  const server = await BenchServer.start(peer, programs, options);
  try {
    return await work(server);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}\n${server.lastOutput()}`, { cause: error });
  } finally {
    await server.kill();
  }
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').split('\n').slice(-15).join('\n');
}
