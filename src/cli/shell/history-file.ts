/**
 * What was typed, for the next time: ~/.zabra_history, or the file that ZABRA_HISTORY names. Lines that
 * show who somebody is to a server are not kept, and nobody else may read the others.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const linesKept = 1000;

export class HistoryFile {
  readonly #file: string;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#file = env['ZABRA_HISTORY'] ?? join(homedir(), '.zabra_history');
  }

  /** The newest first. A file that cannot be read is none. */
  read(): string[] {
    if (this.#file === '') return [];
    try {
      const lines = readFileSync(this.#file, 'utf8').split('\n').filter(Boolean);
      if (lines.length > 2 * linesKept) {
        writeFileSync(this.#file, `${lines.slice(-linesKept).join('\n')}\n`, { mode: 0o600 });
      }
      return lines.slice(-linesKept).reverse();
    } catch {
      return [];
    }
  }

  append(line: string): void {
    if (this.#file === '' || line.trim() === '' || /^\s*addauth\b/i.test(line)) return;
    try {
      appendFileSync(this.#file, `${line}\n`, { mode: 0o600 });
    } catch {
      // a history that cannot be kept is no reason to stop working
    }
  }
}
