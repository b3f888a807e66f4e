/**
 * The operations, on one session, under one root. A client is a handle itself; `chroot` gives others,
 * which cost nothing but a name. Each call is checked, put into its place among all calls of the
 * session, and answered by one promise: the order of the calls is the order of their effects, whether
 * or not somebody waits for one before making the next.
 */
import { ErrorCode, ZkError } from '../protocol/errors.js';
import { isSequential } from '../protocol/create-mode.js';
import { encodeUtf8 } from '../protocol/utf8.js';
import { Acls } from './acls.js';
import {
  ArgumentError,
  checkAcl,
  checkCreate,
  checkData,
  checkPath,
  checkSignal,
  checkVersion,
  checkWatcher,
} from './arguments.js';
import { NoWatcherError } from './errors.js';
import { createWithParents } from './make-path.js';
import { showAuth } from './show-auth.js';
import { deleteTree } from './delete-tree.js';
import { countBelow, readEach } from './fallbacks.js';
import * as multiOperations from './multi.js';
import * as operations from './operations.js';
import { Request, withRoot, type Operation } from './request.js';
import { removeAtServer, ServerWatches } from './server-watches.js';
import type { Session } from './session.js';
import { Transaction } from './transaction.js';
import type {
  Acl,
  ClientEventName,
  ClientListener,
  ClientState,
  CreateOptions,
  Created,
  Data,
  DeleteOptions,
  Identity,
  NodeAcl,
  NodeChildren,
  NodeData,
  ReadOp,
  ReadOptions,
  ReadResult,
  ReconfigOptions,
  RemoveWatchesOptions,
  ServerAddress,
  SignalOptions,
  Stat,
  StreamOptions,
  Unsubscribe,
  VersionOptions,
  WatchEvent,
  Watcher,
  WatchOptions,
  WatchRegistration,
  ZkClient,
} from './types.js';
import { addPersistentWatch } from './watches/persistent-watch.js';
import type { WatchingRead } from './watches/watch-book.js';
import { WatchStream } from './watches/watch-stream.js';
import type { ClientWorld } from './world.js';

const CONFIG_PATH = '/zookeeper/config';
const NO_OPTIONS = {};
const WATCH_KINDS = ['any', 'children', 'data', 'persistent', 'persistent-recursive'];

export class Handle implements ZkClient {
  readonly #session: Session;
  readonly root: string;

  constructor(session: Session, root: string) {
    this.#session = session;
    this.root = root;
  }

  get state(): ClientState {
    return this.#session.state;
  }

  get isReadOnly(): boolean {
    return this.#session.isReadOnly;
  }

  get sessionId(): bigint {
    return this.#session.id;
  }

  get sessionTimeoutMs(): number {
    return this.#session.timeoutMs;
  }

  get server(): ServerAddress | null {
    return this.#session.server;
  }

  get lastZxid(): bigint {
    return this.#session.lastZxid;
  }

  /** @internal */
  get world(): ClientWorld {
    return this.#session.world;
  }

  on<E extends ClientEventName>(name: E, listener: ClientListener<E>): Unsubscribe {
    return this.#session.events.on(name, listener);
  }

  once<E extends ClientEventName>(name: E, listener: ClientListener<E>): Unsubscribe {
    return this.#session.events.once(name, listener);
  }

  off<E extends ClientEventName>(name: E, listener: ClientListener<E>): void {
    this.#session.events.off(name, listener);
  }

  chroot(path: string): ZkClient {
    checkPath(path);
    return new Handle(this.#session, path === '/' ? this.root : this.root + path);
  }

  // ------------------------------------------------------------------ writes

  create(path: string, data: Data = '', options: CreateOptions = NO_OPTIONS): Promise<Created> {
    try {
      const { flags, ttlMs } = checkCreate(options.mode, options.ttlMs);
      checkPath(path, 'path', isSequential(flags));
      this.#checkData(data);
      const acl = options.acl ?? Acls.open;
      if (acl !== Acls.open) checkAcl(acl);
      if (options.makePath === true) {
        return createWithParents(this, path, data, options);
      }
      const operation = operations.createOperation(flags);
      const extra: operations.CreateExtra = { acl, ttlMs };
      const at = withRoot(path, this.root);
      const request = new Request(operation, at, this.root, data, flags, extra);
      return this.#session.submit(request, options.signal);
    } catch (error) {
      return rejection(error as Error);
    }
  }

  setData(path: string, data: Data, options: VersionOptions = NO_OPTIONS): Promise<Stat> {
    try {
      checkPath(path);
      this.#checkData(data);
      const version = checkVersion(options.version);
      const at = withRoot(path, this.root);
      const request = new Request(operations.setData, at, this.root, data, version);
      return this.#session.submit(request, options.signal);
    } catch (error) {
      return rejection(error as Error);
    }
  }

  delete(path: string, options: DeleteOptions = NO_OPTIONS): Promise<void> {
    try {
      checkPath(path);
      const version = checkVersion(options.version);
      if (options.recursive === true) return deleteTree(this, path, options);
      return this.#call(operations.remove, path, version, null, options);
    } catch (error) {
      return rejection(error as Error);
    }
  }

  setACL(path: string, acl: readonly Acl[], options: VersionOptions = NO_OPTIONS): Promise<Stat> {
    try {
      checkPath(path);
      checkAcl(acl);
      const version = checkVersion(options.version);
      return this.#call(operations.setAcl, path, version, acl, options);
    } catch (error) {
      return rejection(error as Error);
    }
  }

  transaction(): Transaction {
    return new Transaction({
      root: this.root,
      dataBytesMax: this.#session.settings.maxRequestBytes,
      multi: (ops, options) => {
        const request = new Request(multiOperations.multi, '', this.root, null, 0, ops);
        return this.#session.submit(request, options.signal);
      },
    });
  }

  reconfig(options: ReconfigOptions): Promise<NodeData> {
    const extra: operations.ReconfigExtra = {
      joining: joined(options.joining),
      leaving: joined(options.leaving),
      members: joined(options.members),
      fromVersion: options.fromVersion ?? -1n,
    };
    const request = new Request(operations.reconfig, '', '', null, 0, extra);
    return this.#session.submit(request, options.signal);
  }

  // ------------------------------------------------------------------ reads

  getData(path: string, options: ReadOptions = NO_OPTIONS): Promise<NodeData> {
    return this.#read(operations.getData, 'getData', path, options);
  }

  exists(path: string, options: ReadOptions = NO_OPTIONS): Promise<Stat | null> {
    return this.#read(operations.exists, 'exists', path, options);
  }

  getChildren(path: string, options: ReadOptions = NO_OPTIONS): Promise<NodeChildren> {
    return this.#read(operations.getChildren, 'getChildren', path, options);
  }

  getACL(path: string, options: SignalOptions = NO_OPTIONS): Promise<NodeAcl> {
    return this.#checkedCall(operations.getAcl, path, options);
  }

  sync(path: string, options: SignalOptions = NO_OPTIONS): Promise<string> {
    return this.#checkedCall(operations.sync, path, options);
  }

  getEphemerals(prefix = '/', options: SignalOptions = NO_OPTIONS): Promise<string[]> {
    return this.#checkedCall(operations.getEphemerals, prefix, options);
  }

  async getAllChildrenNumber(path: string, options: SignalOptions = NO_OPTIONS): Promise<number> {
    if (!this.#session.known.isMissing(operations.getAllChildrenNumber.opCode)) {
      try {
        return await this.#checkedCall(operations.getAllChildrenNumber, path, options);
      } catch (error) {
        if (!isUnimplemented(error)) throw error;
      }
    }
    return await countBelow(this, path, options);
  }

  whoAmI(options: SignalOptions = NO_OPTIONS): Promise<Identity[]> {
    const request = new Request(operations.whoAmI, '', '');
    return this.#session.submit(request, options.signal);
  }

  getConfig(options: ReadOptions = NO_OPTIONS): Promise<NodeData> {
    return this.#read(operations.getData, 'getData', CONFIG_PATH, options, '');
  }

  async multiRead(
    ops: readonly ReadOp[],
    options: SignalOptions = NO_OPTIONS,
  ): Promise<(ReadResult | ZkError)[]> {
    ops.forEach(({ type, path }, at) => {
      checkPath(path);
      checkOneOf(['getData', 'getChildren'], type, 'type', at);
    });
    checkSignal(options.signal);
    if (ops.length === 0) return [];
    if (!this.#session.known.isMissing(multiOperations.multiRead.opCode)) {
      const request = new Request(multiOperations.multiRead, '', this.root, null, 0, [...ops]);
      try {
        return await this.#session.submit(request, options.signal);
      } catch (error) {
        if (!isUnimplemented(error)) throw error;
      }
    }
    return await readEach(this, ops, options);
  }

  addAuth(scheme: string, auth: Data, options: SignalOptions = NO_OPTIONS): Promise<void> {
    try {
      checkSignal(options.signal);
      checkData(auth, this.#session.settings.maxRequestBytes, 'auth');
      const bytes = typeof auth === 'string' ? encodeUtf8(auth) : Uint8Array.from(auth);
      return showAuth(this.#session, scheme, bytes, options.signal);
    } catch (error) {
      return rejection(error as Error);
    }
  }

  // ------------------------------------------------------------------ watches

  async addWatch(
    path: string,
    options: WatchOptions,
    watcher: Watcher,
  ): Promise<WatchRegistration> {
    checkPath(path);
    checkWatcher(watcher);
    checkSignal(options.signal);
    const host = new ServerWatches(this.#session, this.root);
    return await addPersistentWatch(host, path, options, watcher);
  }

  watch(
    path: string,
    options: StreamOptions = NO_OPTIONS,
  ): AsyncIterableIterator<WatchEvent, undefined> {
    checkPath(path);
    return new WatchStream(new ServerWatches(this.#session, this.root), path, options);
  }

  async removeWatches(path: string, options: RemoveWatchesOptions = NO_OPTIONS): Promise<void> {
    checkPath(path);
    checkSignal(options.signal);
    const kind = options.kind ?? 'any';
    checkOneOf(WATCH_KINDS, kind, 'kind', 0);
    const at = withRoot(path, this.root);
    if (!this.#session.watches.remove(at, kind)) throw new NoWatcherError(path);
    try {
      await removeAtServer(this.#session, at, kind);
    } catch (error) {
      if (options.local !== true) throw error;
    }
  }

  // ------------------------------------------------------------------ how they are made

  #checkData(data: Data): void {
    const { maxRequestBytes } = this.#session.settings;
    const isString = typeof data === 'string';
    // a string has at most three bytes for each of its units
    const isSmall = isString ? data.length * 3 <= maxRequestBytes : data instanceof Uint8Array;
    if (!isSmall || data.length > maxRequestBytes) checkData(data, maxRequestBytes);
  }

  #read<T>(
    operation: Operation<T>,
    kind: WatchingRead,
    path: string,
    options: ReadOptions,
    root = this.root,
  ): Promise<T> {
    try {
      checkPath(path);
      const { watch } = options;
      const at = withRoot(path, root);
      if (watch === undefined) {
        return this.#session.submit(new Request(operation, at, root), options.signal);
      }
      checkWatcher(watch, 'watch');
      const request = new Request(operation, at, root, null, 1);
      request.onAnswer = (code) => {
        this.#session.watches.addByRead(kind, code, at, watch, root.length);
      };
      return this.#session.submit(request, options.signal);
    } catch (error) {
      return rejection(error as Error);
    }
  }

  #checkedCall<T>(operation: Operation<T>, path: string, options: SignalOptions): Promise<T> {
    try {
      checkPath(path);
      return this.#call(operation, path, 0, null, options);
    } catch (error) {
      return rejection(error as Error);
    }
  }

  #call<T>(
    operation: Operation<T>,
    path: string,
    number: number,
    extra: unknown,
    options: SignalOptions,
  ): Promise<T> {
    const at = withRoot(path, this.root);
    const request = new Request(operation, at, this.root, null, number, extra);
    return this.#session.submit(request, options.signal);
  }
}

/**
 * Calls of a promise-returning method never throw: what is wrong with them is its rejection, an
 * `ArgumentError` or what a signal was aborted with.
 */
function rejection(reason: Error): Promise<never> {
  return Promise.reject(reason);
}

/** Callers without types may give anything. */
function checkOneOf(names: readonly string[], given: string, what: string, at: number): void {
  if (names.includes(given)) return;
  throw new ArgumentError(what, given, at, `expected one of ${names.join(', ')}`);
}

function isUnimplemented(error: unknown): boolean {
  return error instanceof ZkError && error.code === ErrorCode.unimplemented;
}

function joined(list: string | readonly (string | number)[] | undefined): string | null {
  if (list === undefined) return null;
  return typeof list === 'string' ? list : list.join(',');
}
