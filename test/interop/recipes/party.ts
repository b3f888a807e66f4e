/** A program that is told what to do line by line, and answers each command with one line. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { repositoryRoot } from '../../support/machine.js';
import { classPath, javaProgramName } from '../../support/maven.js';
import { smallJvm } from '../../support/oracle.js';
import { compiled, curatorJars } from '../programs/java.js';
import { installKazoo } from '../programs/kazoo.js';

export class Party {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #reader: Interface;
  readonly #lines: AsyncIterator<string>;

  private constructor(name: string, child: ChildProcess) {
    if (child.stdout === null) throw new Error('its output is read');
    this.name = name;
    this.#child = child;
    this.#reader = createInterface({ input: child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  static typescript(connectString: string, name = 'contender'): Promise<Party> {
    const program = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
    return Party.#start('TypeScript', process.execPath, [program, connectString]);
  }

  /** Throws MissingError where there is no Java. */
  static async java(connectString: string, program = 'RecipesProgram'): Promise<Party> {
    const lib = await curatorJars();
    const classes = await compiled(program, lib);
    const args = [...smallJvm, '-cp', classPath(lib, classes), program, connectString];
    return await Party.#start('Curator', javaProgramName, args);
  }

  /** Throws MissingError where there is no Python. */
  static async python(connectString: string, name = 'recipes_program'): Promise<Party> {
    const program = join(repositoryRoot, 'test', 'interop', 'python', `${name}.py`);
    return await Party.#start('kazoo', await installKazoo(), ['-u', program, connectString]);
  }

  static async #start(name: string, program: string, args: readonly string[]): Promise<Party> {
    const child = spawn(program, [...args], { stdio: ['pipe', 'pipe', 'ignore'] });
    const party = new Party(name, child);
    const said = await party.#next();
    if (said !== 'ready') throw new Error(`${name} said ${said}`);
    return party;
  }

  /** The answer to one command. */
  async ask(command: string): Promise<string> {
    this.#child.stdin?.write(`${command}\n`);
    return await this.#next();
  }

  /** As kill -9: its session is left to expire. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
    this.#reader.close();
  }

  async #next(): Promise<string> {
    const next = await this.#lines.next();
    return next.done === true ? 'the end' : next.value;
  }
}
