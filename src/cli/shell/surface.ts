/**
 * Where the shell's words go. Data is standard output's alone; what is for people goes beside it, so
 * that a pipe gets nothing but data. A prompt has a surface of its own, which keeps the line that is
 * being typed whole.
 */
import type { Terminal } from '../terminal.js';

export interface Surface {
  /** What standard output is wide; undefined: nobody looks on. */
  readonly columns: number | undefined;
  /** Results. */
  print(text: string): void;
  /** For who reads along, a line. */
  tell(line: string): void;
  /** How far a long command is: over what it said before, where that can be. */
  progress(line: string): void;
  /** What happens beside the commands: events, the state of the session. */
  notice(text: string): void;
}

/** A pipe is told how far things are this often. */
const progressMs = 1000;

/** Without a prompt. `isTerminal`: that standard error can be written over. */
export function plainSurface(terminal: Terminal, isTerminal: boolean): Surface {
  let toldMs = performance.now();
  let isOpen = false;
  const finish = (): void => {
    if (isOpen) process.stderr.write('\n');
    isOpen = false;
  };
  return {
    get columns() {
      return terminal.columns;
    },
    print(text) {
      finish();
      terminal.print(text);
    },
    tell(line) {
      finish();
      terminal.complain(line);
    },
    progress(line) {
      if (isTerminal) {
        process.stderr.write(`\r\x1b[K${line}`);
        isOpen = true;
        return;
      }
      const nowMs = performance.now();
      if (nowMs - toldMs < progressMs) return;
      toldMs = nowMs;
      terminal.complain(line);
    },
    notice(text) {
      finish();
      terminal.complain(text);
    },
  };
}
