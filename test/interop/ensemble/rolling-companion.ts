/**
 * A program of somebody else's that works on the ensemble all the time, in a process of its own. It
 * says `ready`, rests between `pause` and `resume`, and at `end` reports what it found in lines, `ok
 * <what>` or `FAIL <what>: <why>`.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { repositoryRoot } from '../../support/machine.js';
import { classPath, javaProgramName } from '../../support/maven.js';
import { smallJvm } from '../../support/oracle.js';
import { curatorJars, compiled } from '../programs/java.js';
import { installKazoo } from '../programs/kazoo.js';
import type { Tally } from './tally.js';

const ANSWER_MS = 120_000;
const TAIL = 25;

export class Companion {
  readonly name: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #reports: string[] = [];
  readonly #other: string[] = [];
  readonly #ended: Promise<number | null>;
  #hasEnded = false;
  #awaited: { readonly word: string; readonly said: () => void } | null = null;

  static async curator(hosts: string): Promise<Companion> {
    const lib = await curatorJars();
    const classes = await compiled('RollingProgram', lib);
    const words = [...smallJvm, '-cp', classPath(lib, classes), 'RollingProgram', hosts];
    return await Companion.#start('Curator', javaProgramName, words);
  }

  static async kazoo(hosts: string): Promise<Companion> {
    const file = join(repositoryRoot, 'test', 'interop', 'python', 'rolling_program.py');
    return await Companion.#start('kazoo', await installKazoo(), ['-u', file, hosts]);
  }

  static async #start(name: string, program: string, words: readonly string[]): Promise<Companion> {
    const companion = new Companion(name, program, words);
    await companion.#until('ready');
    return companion;
  }

  private constructor(name: string, program: string, words: readonly string[]) {
    this.name = name;
    this.#child = spawn(program, words, { stdio: 'pipe' });
    this.#ended = once(this.#child, 'close').then(([code]: unknown[]) => {
      this.#hasEnded = true;
      this.#awaited?.said();
      return typeof code === 'number' ? code : null;
    });
    // what it was told and did not read: its end tells
    this.#child.stdin.on('error', () => undefined);
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      if (line === this.#awaited?.word) this.#awaited.said();
      else if (/^(ok|FAIL) /.test(line)) this.#reports.push(line);
      else this.#other.push(line);
    });
    createInterface({ input: this.#child.stderr }).on('line', (line) => this.#other.push(line));
  }

  async pause(): Promise<void> {
    this.#child.stdin.write('pause\n');
    await this.#until('paused');
  }

  async resume(): Promise<void> {
    this.#child.stdin.write('resume\n');
    await this.#until('resumed');
  }

  /** It ends; each of its findings is a check. */
  async end(tally: Tally): Promise<void> {
    this.#child.stdin.write('end\n');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), ANSWER_MS);
    const code = await this.#ended;
    clearTimeout(timer);
    const how = code === 0 ? [] : [`exit ${code}`, ...this.#other.slice(-TAIL)];
    tally.none(`${this.name} ends well`, how);
    tally.check(`${this.name} reports`, this.#reports.length > 0, true);
    for (const line of this.#reports) {
      const [what = '', ...why] = line.replace(/^(ok|FAIL) /, '').split(': ');
      tally.none(`${this.name}: ${what}`, line.startsWith('ok ') ? [] : [why.join(': ')]);
      if (line.startsWith('ok there was work')) console.log(`${this.name}: ${why.join(': ')}`);
    }
  }

  kill(): void {
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
  }

  async #until(word: string): Promise<void> {
    const isSaid = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => {
        resolve(false);
      }, ANSWER_MS);
      const said = (): void => {
        clearTimeout(timer);
        resolve(!this.#hasEnded);
      };
      this.#awaited = { word, said };
      if (this.#hasEnded) said();
    });
    this.#awaited = null;
    if (isSaid) return;
    this.kill();
    const last = this.#other.slice(-TAIL).join('\n');
    throw new Error(`${this.name} did not say ${word} within ${ANSWER_MS} ms\n${last}`);
  }
}
