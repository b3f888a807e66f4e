/**
 * One server of `zabra up` as a child process. It is wanted until it is stopped: when it dies it is
 * started again, the sooner the longer it had lived, so that a server that cannot start does not
 * keep the machine busy and one that was killed is back at once.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

const firstPauseMs = 500;
const longestPauseMs = 15_000;
/** Who lived as long had a good start. */
const soundLifeMs = 10_000;
const stopTimeoutMs = 10_000;

const program = join(import.meta.dirname, '..', '..', 'bin', 'zabra');
const orphanGuard = new URL('./up-orphan.js', import.meta.url).href;

export interface ChildOptions {
  readonly sid: number;
  readonly configFile: string;
  readonly logFile: string;
  /** Further arguments of `zabra server`. */
  readonly arguments: readonly string[];
  /** It ended by itself; it starts again after `pauseMs`. */
  onDeath(reason: string, pauseMs: number): void;
}

export class ServerChild {
  readonly #options: ChildOptions;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #pauseMs = firstPauseMs;
  #restart: NodeJS.Timeout | null = null;
  #isWanted = false;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  get sid(): number {
    return this.#options.sid;
  }

  /** Null: between two lives. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  start(): void {
    this.#isWanted = true;
    const { configFile, logFile, arguments: more } = this.#options;
    const output = openSync(logFile, 'a');
    const child = spawn(
      process.execPath,
      [
        ...['--import', orphanGuard, program, 'server', configFile],
        ...['--log-file', logFile, ...more],
      ],
      {
        stdio: ['ignore', output, output, 'ipc'],
        // a Ctrl-C at the terminal is for `up` alone, which stops its servers
        detached: true,
        env: childEnvironment(),
      },
    );
    closeSync(output);
    this.#child = child;
    const startedMs = performance.now();
    this.#ended = new Promise((resolve) => {
      const onEnd = (reason: string): void => {
        if (this.#child !== child) return;
        this.#child = null;
        resolve();
        if (this.#isWanted) this.#onDeath(reason, performance.now() - startedMs);
      };
      child.once('error', (error) => {
        onEnd(error.message);
      });
      child.once('exit', (code, signal) => {
        onEnd(signal ?? `exit code ${code}${this.#lastWords()}`);
      });
    });
  }

  /** Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#isWanted = false;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const child = this.#child;
    if (child === null) return;
    child.kill('SIGTERM');
    // one that was paused hears nothing else
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await this.#ended;
    clearTimeout(timer);
  }

  #onDeath(reason: string, livedMs: number): void {
    if (livedMs >= soundLifeMs) this.#pauseMs = firstPauseMs;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, longestPauseMs);
    this.#restart = setTimeout(() => {
      this.start();
    }, pauseMs);
    this.#options.onDeath(reason, pauseMs);
  }

  #lastWords(): string {
    const last = endOf(this.#options.logFile).trimEnd().split('\n').pop() ?? '';
    return last === '' ? '' : `: ${last}`;
  }
}

function endOf(file: string): string {
  const bytes = Buffer.alloc(4096);
  const fd = openSync(file, 'r');
  try {
    const position = Math.max(0, fstatSync(fd).size - bytes.length);
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, position));
  } finally {
    closeSync(fd);
  }
}

/** Options for a Java server that is configured elsewhere must not reach these. */
function childEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  delete env['SERVER_JVMFLAGS'];
  delete env['JVMFLAGS'];
  return env;
}
