/**
 * Watches as those who follow znodes need them: told in the turn in which the answer or the event is
 * read from the wire, in exactly that order. The public calls settle promises, which is later.
 */
import type { Clock } from '../ports/clock.js';
import { ErrorCode, ZkError } from '../protocol/errors.js';
import { AddWatchMode } from '../protocol/events.js';
import { OpCode } from '../protocol/opcodes.js';
import { ConnectionLossError } from './errors.js';
import * as operations from './operations.js';
import { Request, withRoot } from './request.js';
import type { Session } from './session.js';
import type { ClientState, NodeChildren, Stat, Watcher } from './types.js';
import type { Answer, WatchHost } from './watches/watch-host.js';

const NO_CHILDREN: readonly string[] = [];

export class ServerWatches implements WatchHost {
  readonly #session: Session;
  readonly #root: string;

  constructor(session: Session, root: string) {
    this.#session = session;
    this.#root = root;
  }

  get state(): ClientState {
    return this.#session.state;
  }

  get connectionCount(): number {
    return this.#session.connectionCount;
  }

  get hasPersistentWatches(): boolean {
    return !this.#session.known.isMissing(OpCode.addWatch);
  }

  get lastZxid(): bigint {
    return this.#session.lastZxid;
  }

  get clock(): Clock {
    return this.#session.world.clock;
  }

  on(name: 'state', listener: (state: ClientState, previous: ClientState) => void): () => void {
    return this.#session.events.on(name, listener);
  }

  ask(op: 'exists' | 'getChildren', path: string, watcher: Watcher | null, answer: Answer): void {
    const at = withRoot(path, this.#root);
    const watch = watcher === null ? 0 : 1;
    const request: Request<Stat | null> | Request<NodeChildren> =
      op === 'exists'
        ? new Request(operations.exists, at, this.#root, null, watch)
        : new Request(operations.getChildren, at, this.#root, null, watch);
    if (watcher !== null) {
      this.#session.telling.addAtOnce(watcher);
      request.onAnswer = (code) => {
        this.#session.watches.addByRead(op, code, at, watcher, this.#root.length);
      };
    }
    request.onSettled = (error: unknown, value?: Stat | NodeChildren | null) => {
      if (error !== null) answer(zkErrorFrom(error), null, NO_CHILDREN);
      else if (value === null || value === undefined) answer(null, null, NO_CHILDREN);
      else if ('children' in value) answer(null, value.stat, value.children);
      else answer(null, value, NO_CHILDREN);
    };
    this.#send(request);
  }

  addServerWatch(
    path: string,
    isRecursive: boolean,
    watcher: Watcher,
    answer: (error: ZkError | null) => void,
  ): void {
    const at = withRoot(path, this.#root);
    const mode = isRecursive ? AddWatchMode.persistentRecursive : AddWatchMode.persistent;
    const request = new Request(operations.addWatch, at, this.#root, null, mode);
    this.#session.telling.addAtOnce(watcher);
    const list = isRecursive ? 'recursive' : 'persistent';
    const expected = this.#session.watches.expect(list, at);
    request.onAnswer = (code) => {
      if (code === ErrorCode.ok) this.#session.watches.add(list, at, watcher, this.#root.length);
    };
    request.onSettled = (error) => {
      expected();
      answer(error === null ? null : zkErrorFrom(error));
    };
    this.#send(request);
  }

  /** Its answer is told by callback. */
  #send(request: Request): void {
    void this.#session.submit(request);
  }

  async removeServerWatch(path: string, isRecursive: boolean, watcher: Watcher): Promise<void> {
    const at = withRoot(path, this.#root);
    const list = isRecursive ? 'recursive' : 'persistent';
    const kind = isRecursive ? 'persistent-recursive' : 'persistent';
    if (!this.#session.watches.removeFromList(list, at, watcher)) return;
    await removeAtServer(this.#session, at, kind);
  }

  keepWatcher(watcher: Watcher): void {
    this.#session.watches.keep(watcher);
  }

  forgetWatcher(path: string, watcher: Watcher): void {
    this.#session.watches.remove(withRoot(path, this.#root), 'any', watcher);
  }
}

/**
 * Takes off the server what nobody here needs there any more. What a server does not have, and what a
 * connection takes with it when it ends, is off already.
 */
export async function removeAtServer(
  session: Session,
  path: string,
  kind: Parameters<Session['watches']['serverRemoval']>[1],
): Promise<void> {
  const areKindsKnown = !session.known.arePersistentKindsMissing;
  const type = session.watches.serverRemoval(path, kind, areKindsKnown);
  if (type === null || session.state !== 'connected') return;
  try {
    await session.submit(new Request(operations.removeWatches, path, '', null, type));
  } catch (error) {
    if (!(error instanceof ZkError)) throw error;
    if (error.code === ErrorCode.noWatcher || error instanceof ConnectionLossError) return;
    if (!areKindsKnown || error.code !== ErrorCode.marshallingError) throw error;
    session.known.refusePersistentKinds();
    await removeAtServer(session, path, kind);
  }
}

function zkErrorFrom(error: unknown): ZkError {
  return error instanceof ZkError
    ? error
    : new ZkError(ErrorCode.systemError, undefined, { cause: error });
}
