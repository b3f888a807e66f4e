/**
 * What one writer asked for, what it was told, and whether the znodes that are there fit to it. A
 * write is known by its payload, which nothing else has. One whose answer never came may have
 * happened or not; once the servers are at rest and all agree, that is settled for ever.
 */
export type Fate = 'done' | 'refused' | 'unknown';

export interface Entry {
  readonly payload: string;
  /** Null: the server chooses it, and has not said. */
  path: string | null;
  created: Fate;
  deleted: Fate | null;
  /** Checks that have found it, or found it gone. */
  seen: number;
  missed: number;
}

/** Checks that a znode must pass before its writer deletes it, and after that. */
const KEEP_CHECKS = 1;
const FORGET_CHECKS = 2;

export class Ledger {
  readonly directory: string;
  readonly register: string;
  /** Of the register: numbers only grow. */
  sentNumber = 0;
  doneNumber = 0;
  doneCount = 0;
  /** Acknowledged, and found not to be: all that checks have told of. */
  lostCount = 0;
  #entries: Entry[] = [];
  #deletable: Entry[] = [];
  #last = 0;
  readonly #prefix: string;

  constructor(name: string, seed: number) {
    this.directory = `/${name}`;
    this.register = `/${name}-register`;
    this.#prefix = `${seed}:${name}:`;
  }

  /** A new write: until it is told otherwise, nobody knows. */
  begin(nameOf: ((number: number) => string) | null): Entry {
    const number = ++this.#last;
    const entry: Entry = {
      payload: `${this.#prefix}${number}`,
      path: nameOf === null ? null : `${this.directory}/${nameOf(number)}`,
      created: 'unknown',
      deleted: null,
      seen: 0,
      missed: 0,
    };
    this.#entries.push(entry);
    return entry;
  }

  takeDeletable(count: number): Entry[] {
    return this.#deletable.splice(0, count);
  }

  /** Payloads with their paths, of all znodes below the directory, and what the register holds. */
  check(found: ReadonlyMap<string, readonly string[]>, registerHolds: number): string[] {
    const problems: string[] = [];
    const known = new Set<string>();
    for (const entry of this.#entries) {
      known.add(entry.payload);
      const problem = settle(entry, found.get(entry.payload) ?? []);
      if (problem === null) continue;
      problems.push(problem);
      if (problem.endsWith(' is lost')) this.lostCount++;
    }
    for (const [payload, paths] of found) {
      if (!known.has(payload)) {
        problems.push(`${paths.join(', ')} holds ${payload}, which was never asked for or is gone`);
      }
    }
    if (registerHolds < this.doneNumber) {
      problems.push(`${this.register} holds ${registerHolds}, ${this.doneNumber} was acknowledged`);
      this.lostCount++;
    }
    if (registerHolds > this.sentNumber) {
      problems.push(
        `${this.register} holds ${registerHolds}, ${this.sentNumber} was the last sent`,
      );
    }
    this.doneNumber = registerHolds;
    this.#entries = this.#entries.filter(({ missed }) => missed < FORGET_CHECKS);
    this.#deletable = this.#entries.filter(
      ({ deleted, seen, missed }) => deleted === null && seen > KEEP_CHECKS && missed === 0,
    );
    return problems;
  }
}

/** Says what is wrong, and decides what was not known. */
function settle(entry: Entry, paths: readonly string[]): string | null {
  const { payload, path, created, deleted } = entry;
  const [at = null] = paths;
  if (paths.length > 1) return `${payload} was created more than once: ${paths.join(', ')}`;
  if (at === null) entry.missed++;
  else entry.seen++;
  let problem: string | null = null;
  if (at !== null && path !== null && at !== path) problem = `${payload} is at ${at}, not ${path}`;
  const shown = path ?? payload;
  if (created === 'refused' && at !== null) problem = `${at} exists, and its create was refused`;
  if (created === 'done' && deleted === null && at === null) problem = `${shown} is lost`;
  if (created === 'done' && deleted === 'refused' && at === null) problem = `${shown} is lost`;
  if (deleted === 'done' && at !== null) problem = `${at} exists, and was deleted`;
  // from now on it is the one or the other, and stays it; what went wrong is told once
  if (created === 'unknown' || problem !== null) entry.created = at === null ? 'refused' : 'done';
  if (deleted === 'unknown' || problem !== null) {
    entry.deleted = at === null && deleted !== null ? 'done' : null;
  }
  entry.path ??= at;
  return problem;
}
