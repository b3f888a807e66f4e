/**
 * How a test tells a server under test what its disk is to do: a fault in a file that the server looks
 * for before each call, and a line in another file for each time that it struck.
 */
import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';

export type DiskCallName =
  'open' | 'write' | 'flush' | 'sync' | 'rename' | 'unlink' | 'syncDirectory';

export interface DiskFault {
  readonly call: DiskCallName;
  /** Strikes files whose names begin like that. */
  readonly file: string;
  /** Calls that are let through before. */
  readonly skip?: number;
  /** It strikes each time until it is lifted, also after a restart; otherwise once. */
  readonly lasts?: boolean;
  /** The call fails like that. */
  readonly code?: string;
  /** So much of a write gets through, from 0 for nothing to 1 for all. */
  readonly part?: number;
  /** It takes so long: the thread that called waits for it, or (`inPool`) whoever waits for the call. */
  readonly hangMs?: number;
  readonly inPool?: boolean;
  /** Behind it the process is killed, as by kill -9. */
  readonly kills?: boolean;
}

export class FaultControl {
  readonly #file: string;
  readonly #struck: string;
  #armed: DiskFault | null = null;
  #skipped = 0;

  constructor(file: string) {
    this.#file = file;
    this.#struck = `${file}.struck`;
  }

  // ------------------------------------------------------------------ the test's side

  arm(fault: DiskFault): void {
    rmSync(this.#struck, { force: true });
    // seen as a whole, or not
    writeFileSync(`${this.#file}.new`, JSON.stringify(fault));
    renameSync(`${this.#file}.new`, this.#file);
  }

  lift(): void {
    rmSync(this.#file, { force: true });
  }

  get struckCount(): number {
    if (!existsSync(this.#struck)) return 0;
    return readFileSync(this.#struck, 'utf8').split('\n').length - 1;
  }

  // ------------------------------------------------------------------ the server's side

  /** What this call is to suffer; null: nothing. */
  strikes(call: DiskCallName, path: string): DiskFault | null {
    if (!existsSync(this.#file)) {
      if (this.#armed?.lasts === true) this.#armed = null;
    } else if (this.#armed === null) {
      this.#armed = JSON.parse(readFileSync(this.#file, 'utf8')) as DiskFault;
      this.#skipped = 0;
      if (this.#armed.lasts !== true) rmSync(this.#file);
    }
    const fault = this.#armed;
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (fault === null || fault.call !== call || !name.startsWith(fault.file)) return null;
    if (this.#skipped++ < (fault.skip ?? 0)) return null;
    if (fault.lasts !== true) this.#armed = null;
    appendFileSync(this.#struck, `${call} ${name}\n`);
    return fault;
  }
}
