/**
 * One server or balancer of `zabra up` as a child process. It is wanted until it is stopped: when it
 * dies it is started again, at once when it had served, later and later while it does not come to that:
 * one that cannot start must not keep the machine busy.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

const firstPauseMs = 250;
const longestPauseMs = 15_000;
const stopTimeoutMs = 10_000;

const program = join(import.meta.dirname, '..', '..', 'bin', 'zabra');
const orphanGuard = new URL('./up-orphan.js', import.meta.url).href;

export interface ChildOptions {
  /** What `zabra` is to do. */
  readonly command: readonly string[];
  readonly logFile: string;
  /** Before each life: what it needs is there. */
  prepare?(): void;
  /** It has begun a life. */
  onStart?(): void;
  /** It ended by itself; it starts again after `pauseMs`. */
  onDeath(reason: string, pauseMs: number): void;
}

export class UpChild {
  readonly #options: ChildOptions;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #pauseMs = firstPauseMs;
  #restart: NodeJS.Timeout | null = null;
  #isWanted = false;
  #starts = 0;
  #hasServed = false;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  /** Null: between two lives. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  get restarts(): number {
    return Math.max(0, this.#starts - 1);
  }

  /** It lives, and has not been seen to serve yet. */
  get isStarting(): boolean {
    return this.#child !== null && !this.#hasServed;
  }

  /** It was seen to serve: whatever ends it now, it can start. */
  served(): void {
    this.#hasServed = true;
    this.#pauseMs = firstPauseMs;
  }

  start(): void {
    this.#isWanted = true;
    this.#starts++;
    this.#hasServed = false;
    try {
      this.#options.prepare?.();
      this.#spawn();
    } catch (error) {
      // its folder is gone, the disk is full: another time, perhaps
      this.#onDeath(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#options.onStart?.();
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

  #spawn(): void {
    const { command, logFile } = this.#options;
    const output = openSync(logFile, 'a');
    const child = spawn(
      process.execPath,
      ['--import', orphanGuard, program, ...command, '--log-file', logFile],
      {
        stdio: ['ignore', output, output, 'ipc'],
        // a Ctrl-C at the terminal is for `up` alone, which stops what it has started
        detached: true,
        env: childEnvironment(),
      },
    );
    closeSync(output);
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      const onEnd = (reason: string): void => {
        if (this.#child !== child) return;
        this.#child = null;
        resolve();
        if (this.#isWanted) this.#onDeath(reason);
      };
      child.once('error', (error) => {
        onEnd(error.message);
      });
      child.once('exit', (code, signal) => {
        onEnd(signal ?? `exit code ${code}${this.#lastWords()}`);
      });
    });
  }

  #onDeath(reason: string): void {
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, longestPauseMs);
    this.#restart = setTimeout(() => {
      this.start();
    }, pauseMs);
    this.#options.onDeath(reason, pauseMs);
  }

  #lastWords(): string {
    const { logFile } = this.#options;
    if (!existsSync(logFile)) return '';
    const last = endOf(logFile).trimEnd().split('\n').pop() ?? '';
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
