/**
 * What following znodes needs of a client, and no more: so that it can be tested against a tree in
 * memory that loses connections on demand.
 *
 * Unlike the public calls these are told by callback, in the turn in which the answer is decoded. The
 * order in which answers and events lie on the wire is the order in which they happened at the server,
 * and it is the only order that servers before 3.9 give (their events carry no zxid). A promise would
 * be settled some microtasks later, after events that came behind it in the same packet. No callback
 * is called from inside the call that it was given to.
 */
import type { Clock } from '../../ports/clock.js';
import type { ZkError } from '../../protocol/errors.js';
import type { ClientState, Stat, Watcher } from '../types.js';

/** `error` null: it went well; `stat` null then: there is no such znode (exists only). */
export type Answer = (
  error: ZkError | null,
  stat: Stat | null,
  children: readonly string[],
) => void;

export interface WatchHost {
  readonly state: ClientState;
  /** How many connections there have been: another number, another connection. */
  readonly connectionCount: number;
  /** False once a server has said that it does not know persistent watches. */
  readonly hasPersistentWatches: boolean;
  /** The newest that any answer has told, the one being decoded included. */
  readonly lastZxid: bigint;
  readonly clock: Clock;

  on(name: 'state', listener: (state: ClientState, previous: ClientState) => void): () => void;

  /**
   * Reads a znode's stat, or its children too. Sent in the order of the calls. `watcher` is left at
   * the server as by the public calls of the same name, and is registered before `answer` is called.
   * Fails with CONNECTIONLOSS when the connection goes before the answer; never throws.
   */
  ask(op: 'exists' | 'getChildren', path: string, watcher: Watcher | null, answer: Answer): void;

  /**
   * Adds a persistent watch at the server and to the book; it is set again on every later
   * connection, before anything else is sent on it. The watcher is called for each event as it comes,
   * and told a 'gap' when the watch has been dropped, because a later server does not know such.
   * Fails with UNIMPLEMENTED where the server does not know them (the connection is then lost too).
   */
  addServerWatch(
    path: string,
    isRecursive: boolean,
    watcher: Watcher,
    answer: (error: ZkError | null) => void,
  ): void;

  /** Takes it out of the book at once, and off the server when nobody else needs it there. */
  removeServerWatch(path: string, isRecursive: boolean, watcher: Watcher): Promise<void>;

  /** Only these calls take this watcher out of the book, no `removeWatches` of a user. */
  keepWatcher(watcher: Watcher): void;

  /** Takes a one-shot watcher out of the book, wherever it is; nothing is sent. */
  forgetWatcher(path: string, watcher: Watcher): void;
}
