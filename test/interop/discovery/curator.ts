/** Curator's service discovery in a process of its own, asked line by line (DiscoveryProgram.java). */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { classPath, javaProgramName } from '../../support/maven.js';
import { smallJvm } from '../../support/oracle.js';
import { compiled, curatorJars } from '../programs/java.js';

export class Curator {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  /** Throws MissingError where there is no Java. */
  static async start(connectString: string): Promise<Curator> {
    const lib = await curatorJars();
    const classes = await compiled('DiscoveryProgram', lib);
    const child = spawn(
      javaProgramName,
      [...smallJvm, '-cp', classPath(lib, classes), 'DiscoveryProgram', connectString],
      { stdio: ['pipe', 'pipe', 'ignore'] },
    );
    const curator = new Curator(child);
    const said = await curator.#next();
    if (said !== 'ready') throw new Error(`Curator said ${said}`);
    return curator;
  }

  private constructor(child: ChildProcess) {
    if (child.stdout === null) throw new Error('its output is read');
    this.#child = child;
    this.#reader = createInterface({ input: child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
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
