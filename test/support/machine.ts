/**
 * What the tests that leave this process need from the machine: the root of the repository, free
 * ports, throw-away directories, programs that may or may not be installed, and a lock so that two
 * test runs can fill `.cache` at the same time without treading on each other.
 */
import { execFile } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Something this machine has not got; a run that meets it skips, saying so. */
export class MissingError extends Error {
  override readonly name = 'MissingError';
}

function findRepositoryRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error('no package.json above the tests');
    directory = parent;
  }
  return directory;
}

export const repositoryRoot = findRepositoryRoot();
export const cacheDirectory = join(repositoryRoot, '.cache');

/** A port that was free a moment ago; whoever binds it must be ready to try another one. */
export async function freePort(): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      probe.close(() => {
        resolve(port);
      });
    });
  });
}

/** Different ones. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) found.add(await freePort());
  return [...found];
}

export function temporaryDirectory(purpose: string): string {
  return mkdtempSync(join(tmpdir(), `zabra-${purpose}-`));
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
  readonly input?: string;
}

/** Runs a program to its end. Never rejects on an exit code; rejects when it cannot be started. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  return await new Promise<Finished>((resolve, reject) => {
    const child = execFile(
      program,
      [...args],
      {
        cwd: options.cwd,
        env: options.env ?? process.env,
        timeout: options.timeoutMs ?? 600_000,
        killSignal: 'SIGKILL',
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error?.code === 'ENOENT') {
          reject(new MissingError(`no ${program} here`));
          return;
        }
        let code = 0;
        if (error !== null) code = typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
    if (options.input !== undefined) child.stdin?.end(options.input);
  });
}

/** Like `run`, but an exit code other than 0 is an error that quotes the output. */
export async function runOrThrow(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const finished = await run(program, args, options);
  if (finished.code !== 0) {
    const output = `${finished.stdout}\n${finished.stderr}`.trim().split('\n').slice(-30);
    throw new Error(`${program} ${args.join(' ')}: exit ${finished.code}\n${output.join('\n')}`);
  }
  return finished.stdout;
}

export async function hasProgram(program: string, ...args: string[]): Promise<boolean> {
  try {
    return (await run(program, args, { timeoutMs: 60_000 })).code === 0;
  } catch (error) {
    if (error instanceof MissingError) return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Runs `work` while no other process runs work under the same name. The lock is a file with the
 * holder's pid; one whose holder is dead is taken over.
 */
export async function underLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(cacheDirectory, { recursive: true });
  const file = join(cacheDirectory, `${name}.lock`);
  for (;;) {
    try {
      const handle = openSync(file, 'wx');
      writeSync(handle, String(process.pid));
      closeSync(handle);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    let holder = 0;
    try {
      holder = Number(readFileSync(file, 'utf8'));
    } catch {
      // released between our two looks at it: just try again
    }
    if (holder > 0 && !isAlive(holder)) rmSync(file, { force: true });
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}
