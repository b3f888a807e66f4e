/**
 * The C programs that make the load: compiled once into `.cache/bench`, run as child processes. C,
 * because a client in JavaScript costs as much as the server that it measures.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory, hasProgram, repositoryRoot, runOrThrow } from '../test/support/machine.js';
import {
  parseFanoutFigures,
  parseFigures,
  parseLoadFigures,
  type FanoutFigures,
  type LoadFigures,
} from './figures.js';
import type { Figures } from './results.js';

export const benchDirectory = join(cacheDirectory, 'bench');
const names = ['zkload', 'zkfanout', 'zkfirst', 'physics'] as const;
type ProgramName = (typeof names)[number];
const execute = promisify(execFile);
const startSecondsMax = 120;

/** A server as the load programs see it. */
export interface Target {
  readonly address: string;
  readonly pid: number;
}

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
}

/** Null where there is no C compiler. */
export async function compilePrograms(): Promise<Programs | null> {
  if (!(await hasProgram('cc', '--version'))) return null;
  mkdirSync(benchDirectory, { recursive: true });
  for (const name of names) {
    const source = join(repositoryRoot, 'bench', `${name}.c`);
    await runOrThrow('cc', ['-O2', '-o', join(benchDirectory, name), source]);
  }
  return new Programs();
}

export class Programs {
  /** Ends with an error when any request failed or any connection was lost. */
  async load(target: Target, load: Load): Promise<LoadFigures> {
    return await this.startLoad(target, load).finished;
  }

  /** The same, and it can be told to end before its time. */
  startLoad(target: Target, load: Load): { finished: Promise<LoadFigures>; end(): void } {
    const args = [
      ...['-h', target.address, '-P', String(target.pid), '-m', load.mode, '-p', load.parent],
      ...['-c', String(load.connections), '-o', String(load.outstanding)],
      ...['-t', String(load.seconds), '-w', String(load.warmSeconds)],
      ...(load.creates === undefined ? [] : ['-N', String(load.creates)]),
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
        if (code === 0) resolve(parseLoadFigures(output.stdout));
        else reject(new Error(`zkload ${args.join(' ')}: ${output.stderr}${output.stdout}`.trim()));
      });
    });
    return { finished, end: () => void child.kill('SIGTERM') };
  }

  async fanout(target: Target, watchers: number, shots: number): Promise<FanoutFigures> {
    const args = ['-h', target.address, '-P', String(target.pid)];
    const text = await this.#run('zkfanout', ...args, '-c', String(watchers), '-n', String(shots));
    return parseFanoutFigures(text);
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

  async echo(connections: number, seconds: number): Promise<Figures> {
    const args = ['echo', '-c', String(connections), '-t', String(seconds)];
    return parseFigures(await this.#run('physics', ...args), ['opsPerSecond', 'p50Us', 'p99Us']);
  }

  async fdatasync(directory: string, seconds: number): Promise<Figures> {
    const text = await this.#run('physics', 'fdatasync', '-d', directory, '-t', String(seconds));
    return parseFigures(text, ['opsPerSecond', 'p50Us', 'p99Us', 'p999Us']);
  }

  async #run(name: ProgramName, ...args: string[]): Promise<string> {
    return await runOrThrow(join(benchDirectory, name), args, { timeoutMs: 300_000 });
  }
}
