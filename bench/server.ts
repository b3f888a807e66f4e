/**
 * A server under measurement: a child process on a directory of its own, with nothing around it that
 * would cost it time. It counts as started when a getData was answered, which is also how long its
 * start took. Members of an ensemble (ensemble.ts) answer when enough of them are there, so starting
 * one and waiting for it are two things.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../test/support/machine.js';
import { fourLetterWord, type Address } from '../test/support/four-letter.js';
import { parseResidentBytes, parseServing, type Serving } from './figures.js';
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
  /** The same again for a server that comes back; any free one when not given. */
  readonly port?: number;
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
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  /** Resolves when the process is gone, however it went. */
  readonly exited: Promise<void>;
  readonly #title: string;
  readonly #child: ChildProcess;
  readonly #outputFile: string;
  /** Wall clock, as the load programs tell it. */
  readonly #spawnedMs: number;
  #startMs = 0;

  /** Starts the process and waits until it answers; one that does not is no more when this rejects. */
  static async start(peer: Peer, programs: Programs, options: StartOptions): Promise<BenchServer> {
    const server = BenchServer.spawn(peer, {
      ...options,
      port: options.port ?? (await freePort()),
    });
    try {
      await server.untilAnswering(programs, options.path);
    } catch (error) {
      await server.kill();
      throw error;
    }
    return server;
  }

  /** Only starts the process. */
  static spawn(peer: Peer, options: StartOptions & { readonly port: number }): BenchServer {
    return new BenchServer(peer, options);
  }

  private constructor(peer: Peer, options: StartOptions & { readonly port: number }) {
    const { workDir, port } = options;
    const dataDir = join(workDir, 'data');
    mkdirSync(dataDir, { recursive: true });
    const settings = { dataDir, clientPort: String(port), ...commonSettings, ...options.settings };
    const configFile = join(workDir, 'zoo.cfg');
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(configFile, lines.join(''));
    const [program = '', ...args] = peer.command(configFile, workDir);
    const outputFile = join(workDir, 'output.log');
    const output = openSync(outputFile, 'a');
    this.#spawnedMs = Date.now();
    const child = spawn(program, args, {
      cwd: workDir,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    living.add(child);
    this.exited = new Promise<void>((resolve) => {
      const ended = (): void => {
        living.delete(child);
        resolve();
      };
      child.once('error', ended);
      child.once('exit', ended);
    });
    this.address = `127.0.0.1:${port}`;
    this.port = port;
    this.pid = child.pid ?? 0;
    this.dataDir = dataDir;
    this.#title = peer.title;
    this.#child = child;
    this.#outputFile = outputFile;
  }

  get pids(): readonly number[] {
    return [this.pid];
  }

  /** From starting the process to the first answer. */
  get startMs(): number {
    return this.#startMs;
  }

  /** Until a getData of `path` is answered; throws when the process ends before that. */
  async untilAnswering(programs: Programs, path = '/'): Promise<void> {
    const waiting = new AbortController();
    void this.exited.then(() => {
      waiting.abort(new Error(`${this.#title} ended as it was started`));
    });
    try {
      const answeredMs = await programs.firstAnswerMs(this.address, path, waiting.signal);
      this.#startMs = answeredMs - this.#spawnedMs;
    } catch (error) {
      const reason: unknown = waiting.signal.aborted ? waiting.signal.reason : error;
      throw new Error(`${String(reason)}\n${this.lastOutput()}`, { cause: error });
    }
  }

  /** Its role and the last zxid it knows; null while it does not serve. */
  async serving(): Promise<Serving | null> {
    try {
      return parseServing(await fourLetterWord(this.#listener, 'srvr', 2_000));
    } catch {
      // nobody listens yet, or nobody answers
      return null;
    }
  }

  residentBytes(): number {
    return parseResidentBytes(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
  }

  /** The last of what it printed. */
  lastOutput(): string {
    return lastLines(this.#outputFile);
  }

  /** The process, not what came of it: see `exited`. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** kill -9, which is how every server here ends: nothing may depend on a clean stop. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  get #listener(): Address {
    return { host: '127.0.0.1', port: this.port };
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
