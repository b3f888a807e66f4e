/**
 * What `zabra up` shows of an ensemble. A person at a terminal sees one table that is always true,
 * with the last things that happened under it; a pipe gets a line for each thing that happens.
 */
import type { ServingSight, Sight } from './up-sight.js';
import type { Terminal } from './terminal.js';

export interface UpRow {
  /** `1` for a server, `b1` for a balancer. */
  readonly name: string;
  readonly clientPort: number;
  readonly pid: number | null;
  /** It lives, and has not served yet. */
  readonly isStarting: boolean;
  readonly restarts: number;
  readonly sight: Sight;
}

export interface UpScreen {
  tell(line: string): void;
  /** All servers as they are now. */
  show(rows: readonly UpRow[]): void;
}

const linesKept = 8;
const columnsAssumed = 80;

/** `heading`: what is to be read before anything else; its first line is the connect string. */
export function screenFor(terminal: Terminal, heading: readonly string[]): UpScreen {
  terminal.print(`${heading.join('\n')}\n`);
  if (terminal.columns !== undefined) return new TableScreen(terminal);
  return {
    tell: (line) => {
      terminal.print(`${line}\n`);
    },
    show: () => undefined,
  };
}

class TableScreen implements UpScreen {
  readonly #terminal: Terminal;
  readonly #told: string[] = [];
  #rows: readonly UpRow[] = [];
  #shown: readonly string[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  tell(line: string): void {
    this.#told.push(`${new Date().toTimeString().slice(0, 8)} ${line}`);
    if (this.#told.length > linesKept) this.#told.shift();
    this.#draw();
  }

  show(rows: readonly UpRow[]): void {
    this.#rows = rows;
    this.#draw();
  }

  /** A line that is wider than the terminal would take two, and the next drawing would miss. */
  #draw(): void {
    // some terminals say 0 and mean that they do not know
    const columns = this.#terminal.columns || columnsAssumed;
    const lines = ['', ...tableOf(this.#rows), '', ...this.#told].map((line) =>
      line.slice(0, columns - 1),
    );
    if (lines.join('\n') === this.#shown.join('\n')) return;
    const back = this.#shown.length === 0 ? '' : `\x1b[${this.#shown.length}F\x1b[J`;
    this.#terminal.print(`${back}${lines.join('\n')}\n`);
    this.#shown = lines;
  }
}

/** Of the latency, the average and the maximum. All of it fits into 80 columns. */
const headings = [
  'server',
  'port',
  'role',
  'zxid',
  'lag',
  'sessions',
  'latency',
  'restarts',
  'pid',
];

export function tableOf(rows: readonly UpRow[]): string[] {
  const newest = rows.reduce((zxid, { sight }) => {
    return sight.kind === 'serving' && sight.zxid > zxid ? sight.zxid : zxid;
  }, 0n);
  const cells = [headings, ...rows.map((row) => cellsOf(row, newest))];
  const widths = headings.map((_, column) =>
    Math.max(...cells.map((line) => line[column]?.length ?? 0)),
  );
  return cells.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function cellsOf(row: UpRow, newest: bigint): string[] {
  const { name, clientPort, pid, restarts, sight } = row;
  const server = [name, String(clientPort)];
  const process = [String(restarts), pid === null ? '-' : String(pid)];
  if (sight.kind === 'serving') {
    const { role, zxid, sessions, latencyMs } = sight;
    const latency = `${latencyMs.average}/${latencyMs.max} ms`;
    const place =
      role === 'balancer' ? ['-', '-'] : [`0x${zxid.toString(16)}`, lagOf(sight, newest)];
    return [...server, role, ...place, String(sessions), latency, ...process];
  }
  return [...server, stateOf(row), '-', '-', '-', '-', ...process];
}

function stateOf({ pid, isStarting, sight }: UpRow): string {
  if (sight.kind === 'looking') return 'looking';
  if (pid === null) return 'down';
  return isStarting ? 'starting' : 'silent';
}

/** In transactions; over a change of leaders they are not counted. */
function lagOf({ zxid }: ServingSight, newest: bigint): string {
  return zxid >> 32n === newest >> 32n ? String(newest - zxid) : 'epoch';
}
