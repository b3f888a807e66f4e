/**
 * Somebody who uses `zabra/client` with Kerberos: a program in a folder of its own, where the package
 * `kerberos` is installed or not, with tickets by its environment. What Kerberos's library finds there is
 * the process's, so that each case has a process.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { GssapiOptions, SaslUser } from 'zabra/client';
import { repositoryRoot, temporaryDirectory } from '../../support/machine.js';

/** What the program is started with. */
export interface Task {
  readonly hosts: string;
  /** Null: no login at all. */
  readonly sasl: { readonly gssapi: GssapiOptions } | SaslUser | null;
  readonly sessionTimeoutMs?: number;
}

/** A folder in which programs find Zabra, and the package `kerberos` if there is one. */
export class Folder {
  readonly path: string;

  constructor(kerberos: string | null) {
    this.path = temporaryDirectory('user');
    const modules = join(this.path, 'node_modules');
    mkdirSync(modules);
    symlinkSync(repositoryRoot, join(modules, 'zabra'));
    if (kerberos !== null) symlinkSync(kerberos, join(modules, 'kerberos'));
    writeFileSync(join(this.path, 'package.json'), '{"private":true,"type":"module"}\n');
    const program = fileURLToPath(new URL('./program.js', import.meta.url));
    copyFileSync(program, join(this.path, 'program.js'));
  }

  dispose(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** For Node: links in `node_modules` are taken as if what they lead to had been installed there. */
export const asInstalled = ['--preserve-symlinks', '--preserve-symlinks-main'] as const;

export class User {
  readonly #child: ChildProcess;
  readonly #reader: Interface;
  readonly #lines: AsyncIterator<string>;

  /** Begins to connect. */
  constructor(folder: Folder, env: NodeJS.ProcessEnv, task: Task) {
    const args = [...asInstalled, 'program.js', JSON.stringify(task)];
    this.#child = spawn(process.execPath, args, {
      cwd: folder.path,
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (this.#child.stdout === null) throw new Error('its output is read');
    this.#reader = createInterface({ input: this.#child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** The next line: of how connecting ended, then of each command. */
  async next(): Promise<string> {
    const line = await this.#lines.next();
    return line.done === true ? 'the end' : line.value;
  }

  async ask(command: string): Promise<string> {
    this.#child.stdin?.write(`${command}\n`);
    return await this.next();
  }

  /** Lets it close its session; kills it when it does not. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'exit');
      this.#child.stdin?.end();
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3000);
      await gone;
      clearTimeout(timer);
    }
    this.#reader.close();
  }
}
