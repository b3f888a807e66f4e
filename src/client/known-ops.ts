/**
 * Which operations a server does not know, because it is older than they are. Such a server closes
 * the connection on them, with everything else that was on it, so it is asked once: what it refused is
 * not sent to it again. Where it says nothing and closes, the operation that was due is suspected, and
 * after the second time held for unknown; but never one that this server has answered before.
 */
import { ErrorCode, ZkError } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import type { ServerAddress } from './types.js';

/** Younger than the oldest server that we speak to (3.5), and not essential. */
const YOUNG: ReadonlySet<number> = new Set([
  OpCode.multiRead,
  OpCode.getEphemerals,
  OpCode.getAllChildrenNumber,
  OpCode.setWatches2,
  OpCode.addWatch,
  OpCode.whoAmI,
]);

/** None of them has a lower number; most operations do. */
const YOUNG_MIN = OpCode.multiRead;

/** Answers that no client makes up by itself. */
const saidByServers: ReadonlySet<number> = new Set([
  ErrorCode.noNode,
  ErrorCode.noAuth,
  ErrorCode.noWatcher,
]);

/** In the place of an operation code: kinds of persistent watches, which came later than they. */
const PERSISTENT_KINDS = -1000;
const CLOSED_MAX = 2;

export class KnownOps {
  /** By server: refused. A server that was upgraded is asked again with the next session. */
  readonly #missing = new Map<string, Set<number>>();
  #missingHere: Set<number> | null = null;
  #server = '';
  /** By server and operation: how often it closed the connection. */
  readonly #closed = new Map<string, number>();
  /** Server and operation: it was answered there. */
  readonly #answered = new Set<string>();

  /** Quick to ask before each call. */
  get isAnyMissing(): boolean {
    return this.#missingHere !== null;
  }

  isMissing(opCode: number): boolean {
    return this.#missingHere?.has(opCode) ?? false;
  }

  /** Servers before 3.9 take persistent watches off only together with all others of a path. */
  get arePersistentKindsMissing(): boolean {
    return this.isMissing(PERSISTENT_KINDS);
  }

  /** Nothing has shown yet that the server at hand knows this one. */
  isInQuestion(opCode: number): boolean {
    return opCode >= YOUNG_MIN && YOUNG.has(opCode) && !this.#answered.has(this.#key(opCode));
  }

  /** A server that answers the call, if only with an error of its own, knows the operation. */
  learnFrom(opCode: number, answer: Promise<unknown>): void {
    if (!this.isInQuestion(opCode)) return;
    const answered = (): void => {
      this.onAnswered(opCode);
    };
    answer.then(answered, (error: unknown) => {
      if (error instanceof ZkError && saidByServers.has(error.code)) answered();
    });
  }

  /** The server at hand has answered it, with whatever. */
  onAnswered(opCode: number): void {
    this.#answered.add(this.#key(opCode));
  }

  /** There is a connection to this one now. */
  onServer({ host, port }: ServerAddress): void {
    this.#server = `${host}:${port}`;
    this.#missingHere = this.#missing.get(this.#server) ?? null;
  }

  /** False: a server of any age may say so of this one, and goes on. */
  refuse(opCode: number): boolean {
    if (!YOUNG.has(opCode)) return false;
    this.#miss(opCode);
    if (opCode === OpCode.setWatches2) this.#miss(OpCode.addWatch);
    return true;
  }

  refusePersistentKinds(): void {
    this.#miss(PERSISTENT_KINDS);
  }

  /** The connection was closed when this one was the oldest without an answer. */
  onClosed(opCode: number | null): void {
    if (opCode === null || !this.isInQuestion(opCode)) return;
    const key = this.#key(opCode);
    const count = (this.#closed.get(key) ?? 0) + 1;
    this.#closed.set(key, count);
    if (count >= CLOSED_MAX) this.refuse(opCode);
  }

  /** A new session: everything may be tried once more. */
  forget(): void {
    this.#missing.clear();
    this.#closed.clear();
    this.#answered.clear();
    this.#missingHere = null;
  }

  #key(opCode: number): string {
    return `${this.#server} ${opCode}`;
  }

  #miss(opCode: number): void {
    this.#missingHere ??= new Set();
    this.#missingHere.add(opCode);
    this.#missing.set(this.#server, this.#missingHere);
  }
}
