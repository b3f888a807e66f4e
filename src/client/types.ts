/**
 * What callers of the client hold in their hands: plain data, its options, and `ZkClient`, the shape
 * that a client and every handle on another root of it have in common. Types only: nothing here
 * exists at run time, so recipes and tests can name them without pulling in a client.
 */
import type { TlsOptions } from './tls.js';
import type { SaslOptions } from './sasl.js';
import type { Transaction } from './transaction.js';
import type { ClientWorld } from './world.js';
import type { ZkError } from '../protocol/errors.js';

/** A string is sent as UTF-8. Bytes are read when the request is sent: do not change them before. */
export type Data = Uint8Array | string;

export interface Stat {
  /** The zxid that created the znode; with its path it names the znode for good. */
  readonly czxid: bigint;
  /** The zxid that last changed its data. */
  readonly mzxid: bigint;
  /** The zxid that last changed its children. */
  readonly pzxid: bigint;
  /** Milliseconds since 1970, by the leader's clock. */
  readonly ctime: number;
  readonly mtime: number;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  /** The session that it goes with; 0n for a znode that is not ephemeral. */
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly numChildren: number;
}

export interface Acl {
  /** A set of `Perms`. */
  readonly perms: number;
  readonly scheme: string;
  readonly id: string;
}

export type NodeMode =
  | 'persistent'
  | 'ephemeral'
  | 'persistent-sequential'
  | 'ephemeral-sequential'
  | 'container'
  | 'persistent-ttl'
  | 'persistent-sequential-ttl';

/** 'gap': events before this one may have been lost, and it could not be found out what they told. */
export type WatchEventType = 'created' | 'deleted' | 'changed' | 'children' | 'gap';

export interface WatchEvent {
  readonly type: WatchEventType;
  readonly path: string;
  /** Of the change; servers before 3.9 and events found by listing again do not tell it. */
  readonly zxid?: bigint;
}

export type Watcher = (event: WatchEvent) => void;

/**
 * 'suspended': there is no connection, or no word in time; the session may live or not. 'lost': the
 * session is over, and with it every ephemeral znode and watch of it. 'closed': for good.
 */
export type ClientState = 'connecting' | 'connected' | 'suspended' | 'lost' | 'closed';

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export interface AuthInfo {
  readonly scheme: string;
  readonly auth: Data;
}

export interface ClientOptions {
  /** What to ask for; the server answers with what it grants. 30 seconds unless given. */
  readonly sessionTimeoutMs?: number;
  /** For one attempt at one server; unless given, the session timeout shared among the servers. */
  readonly connectTimeoutMs?: number;
  /** Whether servers without a quorum will do for reading, until one with a quorum is found. */
  readonly readOnly?: boolean;
  readonly auth?: readonly AuthInfo[];
  readonly tls?: TlsOptions | true;
  readonly sasl?: SaslOptions;
  /** After LOST, open a new session (true unless given), or be closed. */
  readonly recreateSession?: boolean;
  /** Try the servers in random order (true unless given), or as they are written. */
  readonly shuffle?: boolean;
  /** Pauses between rounds of attempts: doubled from min to max, each shortened at random. */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
  /** For every call, from call to answer; none unless given. */
  readonly requestTimeoutMs?: number;
  /** A longer reply ends the connection; 16 MiB unless given. */
  readonly maxReplyBytes?: number;
  /** A larger call is refused; jute.maxbuffer's default (1 MiB less a byte) unless given. */
  readonly maxRequestBytes?: number;
  /** For people, in warnings and errors. */
  readonly name?: string;
}

export interface SignalOptions {
  readonly signal?: AbortSignal;
}

export interface ReadOptions extends SignalOptions {
  /** Called once, for the first change after this read. */
  readonly watch?: Watcher;
}

export interface CreateOptions extends SignalOptions {
  readonly mode?: NodeMode;
  readonly acl?: readonly Acl[];
  /** Creates missing parents first: persistent, empty, with the same ACL. */
  readonly makePath?: boolean;
  /** For the modes with a time to live. */
  readonly ttlMs?: number;
}

export interface VersionOptions extends SignalOptions {
  /** Only if this is the current version; any unless given. */
  readonly version?: number;
}

export interface DeleteOptions extends VersionOptions {
  /** Everything below first. */
  readonly recursive?: boolean;
}

export interface WatchOptions extends SignalOptions {
  readonly recursive?: boolean;
}

export interface StreamOptions extends WatchOptions {
  /**
   * Begin with a 'created' for every znode that is there: folding the events gives the listing. Without
   * it they are folded over what was read after the call, and say 'gap' where that must be read again:
   * when the connection was lost before all was listed, and something went meanwhile.
   */
  readonly initial?: boolean;
  /** More events than this that wait to be taken are merged, path by path; 4096 unless given. */
  readonly bufferedMax?: number;
  /** Called once, when everything that was there has been listed (with `initial`: told). */
  readonly onListed?: () => void;
}

export interface RemoveWatchesOptions extends SignalOptions {
  readonly kind?: WatchKind;
  /** Forget the watches here even where the server cannot be asked. */
  readonly local?: boolean;
}

export type WatchKind = 'children' | 'data' | 'any' | 'persistent' | 'persistent-recursive';

export interface Created {
  readonly path: string;
  readonly stat: Stat;
}

export interface NodeData {
  readonly data: Buffer;
  readonly stat: Stat;
}

export interface NodeChildren {
  readonly children: string[];
  readonly stat: Stat;
}

export interface NodeAcl {
  readonly acl: Acl[];
  readonly stat: Stat;
}

export interface Identity {
  readonly scheme: string;
  readonly id: string;
}

/** An ensemble's change: either what joins and leaves, or all its members. */
export interface ReconfigOptions extends SignalOptions {
  readonly joining?: string | readonly string[];
  readonly leaving?: string | readonly (string | number)[];
  readonly members?: string | readonly string[];
  /** Only if this is the configuration's version; any unless given. */
  readonly fromVersion?: bigint;
}

export interface ReadOp {
  readonly type: 'getData' | 'getChildren';
  readonly path: string;
}

export type ReadResult =
  | { readonly type: 'getData'; readonly data: Buffer; readonly stat: Stat }
  | { readonly type: 'getChildren'; readonly children: string[] };

/** What takes a session elsewhere. JSON; the password is as good as the session itself. */
export interface SessionTicket {
  readonly connectString: string;
  readonly sessionId: string;
  /** Base64. */
  readonly password: string;
  readonly timeoutMs: number;
  readonly lastZxid: string;
}

export interface SessionEvent {
  readonly id: bigint;
  readonly isNew: boolean;
  /** Null: there was none before. */
  readonly previousId: bigint | null;
  readonly reason: 'first' | 'expired' | 'replaced' | 'resumed';
}

export interface ClientEvents {
  state: [state: ClientState, previous: ClientState];
  /** Before the state that goes with it. */
  session: [event: SessionEvent];
  server: [server: ServerAddress & { readonly isReadOnly: boolean }];
  /** This process was busy so long that its session was in danger. */
  stall: [stall: { readonly lateMs: number }];
  /** A server refused what was shown to it. */
  auth: [refused: { readonly scheme: string; readonly reason: Error }];
  warning: [text: string];
}

export type ClientEventName = keyof ClientEvents;
export type ClientListener<E extends ClientEventName> = (...args: ClientEvents[E]) => void;
export type Unsubscribe = () => void;

export interface WatchRegistration {
  /** Resolves when no event comes any more. */
  remove(): Promise<void>;
}

/** A client, or a handle on another root of it. Recipes and discovery take this. */
export interface ZkClient {
  readonly state: ClientState;
  readonly isReadOnly: boolean;
  /** 0n: none yet. */
  readonly sessionId: bigint;
  /** What the server granted, or what will be asked for. */
  readonly sessionTimeoutMs: number;
  readonly server: ServerAddress | null;
  /** The newest that any answer has told. */
  readonly lastZxid: bigint;
  /** What paths here are relative to; empty: the root of all. */
  readonly root: string;
  /** @internal */
  readonly world: ClientWorld;

  on<E extends ClientEventName>(name: E, listener: ClientListener<E>): Unsubscribe;
  once<E extends ClientEventName>(name: E, listener: ClientListener<E>): Unsubscribe;
  off<E extends ClientEventName>(name: E, listener: ClientListener<E>): void;

  create(path: string, data?: Data, options?: CreateOptions): Promise<Created>;
  getData(path: string, options?: ReadOptions): Promise<NodeData>;
  setData(path: string, data: Data, options?: VersionOptions): Promise<Stat>;
  delete(path: string, options?: DeleteOptions): Promise<void>;
  exists(path: string, options?: ReadOptions): Promise<Stat | null>;
  getChildren(path: string, options?: ReadOptions): Promise<NodeChildren>;
  getACL(path: string, options?: SignalOptions): Promise<NodeAcl>;
  setACL(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat>;
  /** After it, reads here see every write that was finished before it was called. */
  sync(path: string, options?: SignalOptions): Promise<string>;
  addAuth(scheme: string, auth: Data, options?: SignalOptions): Promise<void>;
  multiRead(ops: readonly ReadOp[], options?: SignalOptions): Promise<(ReadResult | ZkError)[]>;
  /** Of this session. */
  getEphemerals(prefix?: string, options?: SignalOptions): Promise<string[]>;
  /** How many znodes are below, at any depth. */
  getAllChildrenNumber(path: string, options?: SignalOptions): Promise<number>;
  whoAmI(options?: SignalOptions): Promise<Identity[]>;
  reconfig(options: ReconfigOptions): Promise<NodeData>;
  getConfig(options?: ReadOptions): Promise<NodeData>;
  transaction(): Transaction;
  addWatch(path: string, options: WatchOptions, watcher: Watcher): Promise<WatchRegistration>;
  /**
   * Everything that happens there from now on, without gaps: after each reconnect what is watched is
   * read again and the differences are told. Leaving the loop takes the watch off.
   */
  watch(path: string, options?: StreamOptions): AsyncIterableIterator<WatchEvent, undefined>;
  removeWatches(path: string, options?: RemoveWatchesOptions): Promise<void>;
  /** The same session under another root, a path of this handle. */
  chroot(path: string): ZkClient;
}
