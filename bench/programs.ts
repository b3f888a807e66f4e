/**
 * The C programs that make the load: compiled once into `.cache/bench`, run as child processes. C,
 * because a client in JavaScript costs as much as the server that it measures.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory, hasProgram, repositoryRoot, runOrThrow } from '../test/support/machine.js';
import {
  parseFailoverFigures,
  parseFanoutFigures,
  parseFigures,
  parseLoadFigures,
  type FailoverFigures,
  type FanoutFigures,
  type LoadFigures,
} from './figures.js';

export const benchDirectory = join(cacheDirectory, 'bench');
const names = ['zkload', 'zkfanout', 'zkfirst', 'zkfailover', 'physics'] as const;
type ProgramName = (typeof names)[number];
const execute = promisify(execFile);
const startSecondsMax = 120;

/** A server, or several, as the load programs see them. */
export interface Target {
  /** host:port, or several of them with commas in between: connections are spread over them. */
  readonly address: string;
  readonly pids: readonly number[];
}

/** What is done to a leader, and who is left to notice. */
export interface Loss {
  readonly leader: Target;
  /** The first has the session that is there before, the last gets the new one. */
  readonly survivors: readonly Target[];
  readonly signal: 'SIGKILL' | 'SIGSTOP' | 'SIGTERM';
  /** A parent of its own for each loss. */
  readonly parent: string;
}

const echoKeys = ['opsPerSecond', 'p50Us', 'p99Us'] as const;
const fdatasyncKeys = [...echoKeys, 'p999Us'] as const;
type EchoFigures = Readonly<Record<(typeof echoKeys)[number], number>>;
type FdatasyncFigures = Readonly<Record<(typeof fdatasyncKeys)[number], number>>;

export interface Load {
  readonly mode: string;
  readonly connections: number;
  readonly outstanding: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  /** A parent of its own for each load that creates. */
  readonly parent: string;
  /** That many creates instead of a time. */
  readonly creates?: number;
  readonly timelineFile?: string;
  /** So many requests a second, whether or not the server keeps up. */
  readonly perSecond?: number;
  /** Errors and lost connections are figures too; without it they are an error. */
  readonly mayFail?: boolean;
}

/** Null where there is no C compiler. */
export async function compilePrograms(): Promise<Programs | null> {
  if (!(await hasProgram('cc', '--version'))) return null;
  mkdirSync(benchDirectory, { recursive: true });
  for (const name of names) {
    const source = join(repositoryRoot, 'bench', `${name}.c`);
    await runOrThrow('cc', ['-O2', '-o', join(benchDirectory, name), source]);
  }
  const shim = ['-O2', '-shared', '-fPIC', '-o', slowFsyncLibrary];
  await runOrThrow('cc', [...shim, join(repositoryRoot, 'bench', 'slow-fsync.c'), '-ldl']);
  return new Programs();
}

const slowFsyncLibrary = join(benchDirectory, 'slow-fsync.so');

/** Environment in which each flush of a process takes so much longer (slow-fsync.c). */
export function slowFsync(delayMs: number): Readonly<Record<string, string>> {
  return { LD_PRELOAD: slowFsyncLibrary, SLOW_FSYNC_US: String(delayMs * 1000) };
}

export class Programs {
  /** Ends with an error when any request failed or any connection was lost. */
  async load(target: Target, load: Load): Promise<LoadFigures> {
    return await this.startLoad(target, load).finished;
  }

  /** The same, and it can be told to end before its time. */
  startLoad(target: Target, load: Load): { finished: Promise<LoadFigures>; end(): void } {
    const args = [
      ...['-h', target.address, '-P', target.pids.join(), '-m', load.mode, '-p', load.parent],
      ...['-c', String(load.connections), '-o', String(load.outstanding)],
      ...['-t', String(load.seconds), '-w', String(load.warmSeconds)],
      ...(load.creates === undefined ? [] : ['-N', String(load.creates)]),
      ...(load.perSecond === undefined ? [] : ['-R', String(load.perSecond)]),
      ...(load.timelineFile === undefined ? [] : ['-L', load.timelineFile]),
    ];
    const child = spawn(join(benchDirectory, 'zkload'), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    const finished = new Promise<LoadFigures>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        const isTold = code === 0 || (code === 1 && load.mayFail === true && output.stdout !== '');
        if (isTold) resolve(parseLoadFigures(output.stdout));
        else reject(new Error(`zkload ${args.join(' ')}: ${output.stderr}${output.stdout}`.trim()));
      });
    });
    return { finished, end: () => void child.kill('SIGTERM') };
  }

  async fanout(target: Target, watchers: number, shots: number): Promise<FanoutFigures> {
    const args = ['-h', target.address, '-P', target.pids.join()];
    const text = await this.#run('zkfanout', ...args, '-c', String(watchers), '-n', String(shots));
    return parseFanoutFigures(text);
  }

  /** Sends the signal, and tells when the survivors' clients were served again. */
  async failover({ leader, survivors, signal, parent }: Loss): Promise<FailoverFigures> {
    const text = await this.#run(
      'zkfailover',
      ...['-h', survivors.map((one) => one.address).join(), '-l', leader.address, '-p', parent],
      ...['-k', leader.pids.join(), '-s', String(constants.signals[signal])],
    );
    return parseFailoverFigures(text);
  }

  /**
   * The wall clock, in milliseconds, of the first getData of `path` that was answered. `signal` ends
   * the waiting with an error.
   */
  async firstAnswerMs(address: string, path: string, signal: AbortSignal): Promise<number> {
    const args = ['-h', address, '-p', path, '-t', String(startSecondsMax)];
    const { stdout } = await execute(join(benchDirectory, 'zkfirst'), args, { signal });
    const wallMs = Number(stdout);
    if (!(wallMs > 0)) throw new Error(`zkfirst said ${stdout}`);
    return wallMs;
  }

  async echo(connections: number, seconds: number): Promise<EchoFigures> {
    const args = ['echo', '-c', String(connections), '-t', String(seconds)];
    return parseFigures(await this.#run('physics', ...args), echoKeys);
  }

  async fdatasync(directory: string, seconds: number): Promise<FdatasyncFigures> {
    const text = await this.#run('physics', 'fdatasync', '-d', directory, '-t', String(seconds));
    return parseFigures(text, fdatasyncKeys);
  }

  async #run(name: ProgramName, ...args: string[]): Promise<string> {
    return await runOrThrow(join(benchDirectory, name), args, { timeoutMs: 300_000 });
  }
}
