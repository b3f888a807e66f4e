/**
 * Where the data path meets the rest of the balancer: what it asks of whoever knows the servers
 * (`Backends`), what it tells to whoever counts and guards (`KeepingHooks`), and what others may see
 * and want of a session (`SessionView`).
 */

/** What the data path knows of one server. One object for one server, as long as it is among them. */
export interface Backend {
  /** host:port, as it was given. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
}

/** Where a client is, and what it is: whoever accepted its connection knows. */
export interface ClientOrigin {
  /** As a PROXY header tells it, where one is believed. */
  readonly address: string;
  readonly port: number;
  readonly zone: string | null;
  /** Of the weights among tenants. */
  readonly class: string;
  readonly isTls: boolean;
  /** Whom its certificate names; null: it showed none. Such a session fails over visibly. */
  readonly certificateSubject: string | null;
}

/** What a session asks of the server that it is to have. */
export interface BackendNeed {
  /** The server must have applied this zxid, else it would refuse the session. 0n: any will do. */
  readonly minZxid: bigint;
  /** The client takes a server without a quorum. */
  readonly canBeReadOnly: boolean;
  readonly origin: ClientOrigin;
  /** Were tried for this attach already, or are to be left. */
  readonly excluded: ReadonlySet<Backend>;
}

export interface AttachAnswer {
  /** It has granted the extension (protocol/continuation.ts). */
  readonly isZabra: boolean;
  /** It has no quorum. */
  readonly isReadOnly: boolean;
  /** From the first byte to the answer. */
  readonly latencyMs: number;
}

/**
 * Who knows the servers. Of each attach: `onAttaching`, then `onAttached`, `onAttachFailed` or
 * `onAttachAbandoned`; for each `onAttached` exactly one `onDetached` later, which follows `onLost`
 * when the connection died by itself.
 */
export interface Backends {
  /** Null: there is none that would do. */
  choose(need: BackendNeed): Backend | null;
  onAttaching(backend: Backend): void;
  onAttached(backend: Backend, answer: AttachAnswer): void;
  /** Not reached, or it did not answer in time, or hung up instead of answering. */
  onAttachFailed(backend: Backend, error: Error): void;
  /** Nothing is known about it: the client went away meanwhile, or the session was refused by rule. */
  onAttachAbandoned(backend: Backend): void;
  onDetached(backend: Backend): void;
  /** A connection that had served died, not because anybody here wanted it to. */
  onLost(backend: Backend): void;
  /** Sampled, at most once for each read event: the newest zxid the server has told, and how long the last answer took. */
  onReply(backend: Backend, latencyMs: number, zxidHigh: number, zxidLow: number): void;
  /** Clients have written; at most once for each read event. */
  onWrite(): void;
}

/** `strict`: nothing is hidden that could lie. `best-effort`: one-shot watches on Apache may miss events. */
export type MaskMode = 'strict' | 'best-effort' | 'off';

export interface KeepingSettings {
  readonly mask: MaskMode;
  /** Longer requests end the client's connection, as at a server (jute.maxbuffer). */
  readonly requestBytesMax: number;
  /** Longer answers end the connection: nothing is passed before it is whole. */
  readonly replyBytesMax: number;
  /** For a client's first frame to be whole. */
  readonly handshakeTimeoutMs: number;
  /** For a TCP (or TLS) connection to a server. */
  readonly connectAttemptMs: number;
  /** Sessions that one server is asked for at the same time; the others wait for their turn. */
  readonly attachesAtOnceMax: number;
  /** For a server's answers, from the first byte to the session being whole there. */
  readonly attachTimeoutMs: number;
  /** A client that has no session yet, or comes back with one, waits so long for some server. */
  readonly firstAttachTimeoutMs: number;
  /** Between two rounds of attempts when no server would do. */
  readonly retryDelayMs: number;
  /** A planned move waits so long for the answers that are under way, then the session stays. */
  readonly quiesceTimeoutMs: number;
  /** Requests that one session may have unanswered, in bytes; then its client is not read from. */
  readonly inFlightBytesMax: number;
  /** Output that a client has not taken, in bytes: above it, its server is not read from. */
  readonly pauseBytesMax: number;
  /** And so long without taking any of it ends the connection. */
  readonly slowClientTimeoutMs: number;
  /**
   * Servers that cannot tell what persistent watches missed (Apache's) do not end the connections of
   * those who hold some: the znodes are listed again elsewhere, and what is different is told.
   */
  readonly relistPersistent: boolean;
  /** Znodes that are kept in mind for that, of one client and of all. */
  readonly relistNodesMax: number;
  readonly relistNodesInAllMax: number;
  /** The operator says that the Apache servers have local sessions, which die when they move. */
  readonly hasLocalSessions: boolean;
  /** Sent before anything else on each connection to a server (PROXY protocol); null: nothing. */
  readonly preamble?: (backend: Backend, origin: ClientOrigin) => Uint8Array | null;
}

export const keepingDefaults: KeepingSettings = {
  mask: 'strict',
  requestBytesMax: 0xfffff,
  replyBytesMax: 64 * 1024 * 1024,
  handshakeTimeoutMs: 10_000,
  connectAttemptMs: 1000,
  attachesAtOnceMax: 40,
  attachTimeoutMs: 3000,
  firstAttachTimeoutMs: 10_000,
  retryDelayMs: 100,
  quiesceTimeoutMs: 1000,
  inFlightBytesMax: 4 * 1024 * 1024,
  pauseBytesMax: 1024 * 1024,
  slowClientTimeoutMs: 30_000,
  relistPersistent: false,
  relistNodesMax: 10_000,
  relistNodesInAllMax: 500_000,
  hasLocalSessions: false,
};

/** Why a session is to have another server. */
export type MoveReason = 'drain' | 'sleep' | 'rebalance' | 'failure' | 'overload';

/** `stayed`: it could not be moved without its client noticing, and it goes on where it is. */
export type MoveOutcome = 'moved' | 'stayed' | 'dropped';

/**
 * attaching: its first server is being found. open. quiescing: a planned move waits for answers.
 * moving: it has no server.
 */
export type SessionState = 'attaching' | 'open' | 'quiescing' | 'moving' | 'closed';

export interface SessionView {
  /** 0n before a server has said so. */
  readonly id: bigint;
  readonly origin: ClientOrigin;
  readonly backend: Backend | null;
  readonly state: SessionState;
  readonly isOpen: boolean;
  /** As the server granted it. */
  readonly timeoutMs: number;
  readonly watches: number;
  /** Requests that have no answer yet. */
  readonly outstanding: number;
  /** Its server has no quorum. */
  readonly isReadOnly: boolean;
  /** Why it cannot be moved silently now, whatever the servers; null: it can. */
  readonly obstacle: string | null;
  /** The scheme of each auth packet that its server accepted ("digest"), in order; SASL as "sasl". */
  readonly authSchemes: readonly string[];
  /** Safety budget left in ms while it has no server; null: it has one. */
  readonly budgetMs: number | null;
  readonly requestCount: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly establishedMs: number;
  /** For whoever guards and counts: theirs, not looked at here. */
  mark: unknown;
  /** Moves it silently to another server. */
  move(reason: MoveReason): Promise<MoveOutcome>;
  /** Ends its client's connection; the session lives on at the servers. */
  drop(reason: string): void;
}

/**
 * Each is called only where it is given. Bytes are lent for the call. None of them may call `drop`
 * or `move` of the session at hand before it has returned (`clock.soon` does).
 */
export interface KeepingHooks {
  /**
   * A client's request, its header in bytes[start, end) first (xid, op). 0 lets it pass; an error
   * code is the answer that the client gets in the request's turn, and no server sees the request.
   * `pathOfRequest` (request-facts.ts) looks into the body.
   */
  onRequest?(
    session: SessionView,
    op: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number;
  /** Of connect requests too (op -10). `bytesLength` without the length prefix. */
  onReply?(
    session: SessionView,
    op: number,
    latencyMs: number,
    bytesLength: number,
    error: number,
  ): void;
  onEvent?(session: SessionView, type: number, bytesLength: number): void;
  /** The session has a server for the first time since its client came. */
  onAttached?(session: SessionView, backend: Backend, isNew: boolean): void;
  /** Its server was lost, and its client noticed nothing. */
  onMasked?(session: SessionView, from: Backend, to: Backend, tookMs: number): void;
  onMove?(
    session: SessionView,
    reason: MoveReason,
    outcome: MoveOutcome,
    from: Backend | null,
    to: Backend | null,
    tookMs: number,
  ): void;
  /** The client's connection was ended from here, its session may go on. */
  onDropped?(session: SessionView, reason: string): void;
  /** The client's connection is gone, whoever ended it. Last of all. */
  onClosed?(session: SessionView): void;
  /** Bytes that are no frame of the protocol. */
  onMalformed?(session: SessionView, what: string): void;
}
