/**
 * Waiting in line by sequential znodes, the base of locks, semaphores, latches and elections.
 *
 * Entering is protected: a contender's name begins with a UUID, and when the answer to `create` is
 * lost, the directory is listed (after a `sync`) for that UUID before anything is created again;
 * otherwise a forgotten znode of one's own would block everybody, oneself included. A UUID belongs to
 * one attempt in one session: what an earlier session may have left is never taken for one's own.
 * Each contender watches one other, the nearest of those it has to wait for, so that a release wakes
 * one and not all. Leaving is certain (see removal.ts), and entering that was given up leaves too.
 *
 * Why a listing can be believed: a server that answers has seen our own `create`, because a client is
 * never served by one that is behind what it has seen; everyone ahead of us was created before. So an
 * old listing may show somebody who has left (then we wait a little longer), never hide somebody.
 */
import { NoNodeError, OutcomeUnknownError, SessionExpiredError } from '../client/errors.js';
import type { Acl, Data, ZkClient } from '../client/types.js';
import {
  lineUp,
  newUuid,
  parseContender,
  sequenceText,
  type Claim,
  type ContenderName,
} from './contender-names.js';
import { join, makeDirectory, nameOf, type ParentMode } from './parents.js';
import {
  asError,
  backoffMs,
  inBackground,
  isPassing,
  isSessionOver,
  patiently,
  pause,
  untilConnected,
  untilWatched,
} from './patience.js';
import { findByPrefix, removeForSure, removeUnsure } from './removal.js';

/** How a contender enters, and whom it has to do with. */
export interface Entry {
  readonly directory: string;
  /** What stands before the number, for a new UUID. */
  prefix(id: string): string;
  /** Who counts in this line. */
  readonly claims: ReadonlySet<Claim>;
  readonly data: Data;
  readonly acl?: readonly Acl[] | undefined;
  readonly parents: ParentMode;
  /** In place of a new number: beside the one who has it; or none. */
  readonly sequence?: number | 'none';
}

/** Of those in line, the nearest whom the contender at `index` must wait for; null: it is its turn. */
export type Blocker = (line: readonly ContenderName[], index: number) => ContenderName | null;

/** Everyone ahead counts. */
export const afterAll: Blocker = (line, index) => line[index - 1] ?? null;

export class Contender {
  readonly client: ZkClient;
  readonly entry: Entry;
  readonly path: string;
  readonly sequence: number;
  readonly czxid: bigint;
  readonly sessionId: bigint;
  /** Not null: another one of the same attempt may exist; its names begin so. */
  readonly #twins: string | null;
  #leaving: Promise<void> | null = null;

  constructor(
    client: ZkClient,
    entry: Entry,
    made: { path: string; czxid: bigint; sessionId: bigint; twins: string | null },
  ) {
    this.client = client;
    this.entry = entry;
    this.path = made.path;
    this.sequence = parseContender(nameOf(made.path))?.sequence ?? 0;
    this.czxid = made.czxid;
    this.sessionId = made.sessionId;
    this.#twins = made.twins;
  }

  /** Resolves when it is this one's turn (true) or its znode is gone (false). */
  async untilTurn(blocker: Blocker, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      const ahead = await this.#ahead(blocker, signal);
      if (ahead === 'gone') return false;
      if (ahead === null) {
        // nothing that came over a connection that is gone by now is worth anything
        if (this.client.state === 'connected') return true;
        continue;
      }
      await this.#untilGone(join(this.entry.directory, ahead.name), signal);
    }
  }

  /** As `untilTurn`, but does not wait: null when it is somebody else's. */
  async isTurn(blocker: Blocker, signal: AbortSignal): Promise<boolean | null> {
    const ahead = await this.#ahead(blocker, signal);
    if (ahead === 'gone') return false;
    return ahead === null ? true : null;
  }

  /** Resolves when its znode is gone or its session over. The same promise every time. */
  leave(): Promise<void> {
    if (this.#leaving !== null) return this.#leaving;
    const { client, entry, path, sessionId } = this;
    const leaving = [removeForSure(client, path, sessionId)];
    const twins = this.#twins;
    if (twins !== null) leaving.push(removeUnsure(client, entry.directory, twins, sessionId));
    this.#leaving = Promise.all(leaving).then(() => undefined);
    return this.#leaving;
  }

  async #ahead(blocker: Blocker, signal: AbortSignal): Promise<ContenderName | 'gone' | null> {
    if (isSessionOver(this.client, this.sessionId)) return 'gone';
    let line: ContenderName[];
    try {
      line = await readLine(this.client, this.entry, signal);
    } catch (problem) {
      if (problem instanceof SessionExpiredError) return 'gone';
      throw problem;
    }
    const name = nameOf(this.path);
    const index = line.findIndex((one) => one.name === name);
    if (index < 0 || isSessionOver(this.client, this.sessionId)) return 'gone';
    return blocker(line, index);
  }

  async #untilGone(path: string, signal: AbortSignal): Promise<void> {
    try {
      await untilWatched(this.client, signal, async (watch) => {
        // not `exists`: that would leave a watch behind on a name that never comes back
        await this.client.getData(path, { watch });
        return true;
      });
    } catch (problem) {
      if (problem instanceof NoNodeError || problem instanceof SessionExpiredError) return;
      throw problem;
    }
  }
}

/** Everyone in line, the first first. A directory that does not exist is empty. */
export async function readLine(
  client: ZkClient,
  entry: Pick<Entry, 'directory' | 'claims'>,
  signal?: AbortSignal,
): Promise<ContenderName[]> {
  try {
    const { children } = await patiently(client, signal, () => client.getChildren(entry.directory));
    return lineUp(children, entry.claims);
  } catch (problem) {
    if (problem instanceof NoNodeError) return [];
    throw problem;
  }
}

/** Enters, again in each new session, until it is in. Given up, it leaves nothing behind. */
export async function enter(
  client: ZkClient,
  entry: Entry,
  signal: AbortSignal,
): Promise<Contender> {
  for (;;) {
    const contender = await new Attempt(client, entry).run(signal);
    if (contender === null) continue;
    if (!signal.aborted) return contender;
    inBackground(contender.leave());
    signal.throwIfAborted();
  }
}

/** Enters and waits; once more from the end of the line when the session is lost meanwhile. */
export async function takeTurn(
  client: ZkClient,
  entry: Entry,
  blocker: Blocker,
  signal: AbortSignal,
): Promise<Contender> {
  for (;;) {
    const contender = await enter(client, entry, signal);
    if (await leavingOnFailure(contender, () => contender.untilTurn(blocker, signal)))
      return contender;
  }
}

/** As `takeTurn`, but only if it is one's turn at once; else null, and has left. */
export async function takeTurnNow(
  client: ZkClient,
  entry: Entry,
  blocker: Blocker,
  signal: AbortSignal,
): Promise<Contender | null> {
  for (;;) {
    const contender = await enter(client, entry, signal);
    const isTurn = await leavingOnFailure(contender, () => contender.isTurn(blocker, signal));
    if (isTurn === true) return contender;
    await contender.leave();
    if (isTurn === null) return null;
  }
}

async function leavingOnFailure<T>(contender: Contender, work: () => Promise<T>): Promise<T> {
  let result: T | false = false;
  try {
    result = await work();
    return result;
  } finally {
    if (result === false) inBackground(contender.leave());
  }
}

/** One attempt to enter, under one UUID. */
class Attempt {
  readonly #client: ZkClient;
  readonly #entry: Entry;
  readonly #prefix: string;
  /** In which `create` was first sent; null: it has not been. */
  #sessionId: bigint | null = null;
  /** The answer to a `create` was lost. */
  #isUnsure = false;

  constructor(client: ZkClient, entry: Entry) {
    this.#client = client;
    this.#entry = entry;
    this.#prefix = entry.prefix(newUuid(client.world.crypto));
  }

  /** Null: the session was lost, and the attempt with it. */
  async run(signal: AbortSignal): Promise<Contender | null> {
    try {
      for (let attempt = 0; ; attempt++) {
        await untilConnected(this.#client, signal);
        signal.throwIfAborted();
        if (this.#sessionId !== null && isSessionOver(this.#client, this.#sessionId)) return null;
        const result = await this.#step(signal);
        if (result !== 'again') return result;
        if (attempt > 0) await pause(this.#client, backoffMs(this.#client, attempt), signal);
      }
    } catch (problem) {
      this.#clear();
      throw asError(problem);
    }
  }

  async #step(signal: AbortSignal): Promise<Contender | null | 'again'> {
    try {
      const found = this.#isUnsure ? await this.#find() : null;
      return found ?? (await this.#create());
    } catch (problem) {
      if (problem instanceof NoNodeError) {
        const { directory, parents: mode, acl } = this.#entry;
        await makeDirectory(this.#client, directory, { mode, acl }, signal);
        return 'again';
      }
      if (problem instanceof OutcomeUnknownError) this.#isUnsure = true;
      else if (problem instanceof SessionExpiredError) return null;
      else if (!isPassing(problem)) throw problem;
      return 'again';
    }
  }

  /** What an earlier `create` of this attempt has made; null: nothing, and it will not any more. */
  async #find(): Promise<Contender | null> {
    const { directory } = this.#entry;
    let names: string[];
    try {
      names = await findByPrefix(this.#client, directory, this.#prefix);
    } catch (problem) {
      if (problem instanceof NoNodeError) return null;
      throw problem;
    }
    const first = lineUp(names, this.#entry.claims)[0]?.name ?? names[0];
    if (first === undefined) return null;
    const path = join(directory, first);
    const stat = await this.#client.exists(path);
    if (stat === null || stat.ephemeralOwner !== this.#client.sessionId) return null;
    return this.#made(path, stat);
  }

  async #create(): Promise<Contender> {
    const { directory, data, acl, sequence } = this.#entry;
    this.#sessionId ??= this.#client.sessionId;
    const number = typeof sequence === 'number' ? sequenceText(sequence) : '';
    const name = this.#prefix + number;
    const { path, stat } = await this.#client.create(join(directory, name), data, {
      mode: sequence === undefined ? 'ephemeral-sequential' : 'ephemeral',
      ...(acl === undefined ? {} : { acl }),
    });
    return this.#made(path, stat);
  }

  #made(path: string, stat: { czxid: bigint; ephemeralOwner: bigint }): Contender {
    return new Contender(this.#client, this.#entry, {
      path,
      czxid: stat.czxid,
      sessionId: stat.ephemeralOwner,
      twins: this.#isUnsure ? this.#prefix : null,
    });
  }

  /** What this attempt may have made goes. */
  #clear(): void {
    if (!this.#isUnsure || this.#sessionId === null) return;
    if (this.#client.state === 'closed') return;
    const { directory } = this.#entry;
    inBackground(removeUnsure(this.#client, directory, this.#prefix, this.#sessionId));
  }
}
