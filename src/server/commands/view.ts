/**
 * What four-letter words and admin commands may see of a server, and the few things they may do to
 * it. The server implements this; both kinds of commands are written on it alone, so they show the
 * same and can be tested without a server.
 *
 * Answers may be long (100,000 connections, a million ephemerals) and are made in pieces over many
 * turns of the event loop. So every iterable here may be left half read, is read while the server
 * goes on changing, and must survive that: it may miss or repeat what changed meanwhile, and it may
 * not throw. One step of it is short.
 */
import type { Clock } from '../../ports/clock.js';
import type { Restore } from '../../storage/restore.js';
import type { WrittenSnapshot } from '../../storage/snapshot-writer.js';
import type { ServerConfig } from '../config/config.js';
import type { ServerMetrics } from '../metrics.js';
import type { EnsembleView } from './ensemble-view.js';

/** What can be asked of a process whether or not it serves clients. */
export interface ProcessView {
  readonly config: ServerConfig;
  /**
   * False before recovery has finished, after stop, and while a member of an ensemble has no role:
   * most commands then say only that. While it is true this is a whole `ServerView`.
   */
  readonly isServing: boolean;
  /** Of the process and its machine, in the order to be shown. */
  environment(): Iterable<readonly [name: string, value: string]>;
  /** What Java's server would trace; it changes nothing here, and is remembered. */
  traceMask: bigint;
}

export interface ServerView extends ProcessView {
  readonly clock: Clock;
  readonly metrics: ServerMetrics;
  /** Null: this server stands alone. */
  readonly ensemble: EnsembleView | null;
  /** Serving read-only clients only, without an ensemble. */
  readonly isReadOnly: boolean;
  readonly serverState: 'standalone' | 'leader' | 'follower' | 'observer' | 'read-only';
  /** The port really bound (clientPort may be 0). */
  readonly clientPort: number;
  readonly startedMs: number;

  figures(): ServerFigures;
  connections(): Iterable<ConnectionView>;
  /**
   * Of the ensemble's sessions (here: of all that are not local), where this server judges them. In
   * the order of time; those without one (closing) are left out.
   */
  sessionExpiries(): Iterable<ExpiryView>;
  /** Of those that only this server knows; null: it has none of the kind. */
  localSessionExpiries(): Iterable<ExpiryView> | null;
  /** The ensemble's sessions, in no order, where another server judges them; null: this one does. */
  globalSessions(): Iterable<GlobalSessionView> | null;
  ephemerals(): Iterable<readonly [sessionId: bigint, paths: Iterable<string>]>;
  /** Data and exist watches and persistent ones, as Apache shows them; child watches are not. */
  watchesBySession(): Iterable<readonly [sessionId: bigint, paths: Iterable<string>]>;
  watchesByPath(): Iterable<readonly [path: string, sessionIds: Iterable<bigint>]>;
  watchSummary(): WatchSummaryView;
  /** Digests of the tree after each 128th transaction, oldest first. */
  digests(): Iterable<DigestView>;
  quotas(): Iterable<QuotaView>;
  /** Null before the first. */
  lastSnapshot(): { readonly zxid: bigint; readonly timeMs: number } | null;
  /** Bytes of the files in version-2 of dataDir and of dataLogDir. */
  directorySizes(): { readonly dataDirBytes: number; readonly dataLogDirBytes: number };

  /**
   * Whether who shows this has these permissions of a znode; null: it proves nothing. The scheme `ip`
   * shows an address.
   */
  permits(scheme: string, shown: Uint8Array, path: string, perms: number): boolean | null;

  /** Of what is here now, or a little later; null: the disk refused. */
  takeSnapshot(): Promise<WrittenSnapshot | null>;
  /** A snapshot begins to arrive. Throws DiskError. */
  beginRestore(): Restore;
  /** What has arrived takes the place of everything here. Rejects with a RestoreError. */
  restore(restore: Restore): Promise<void>;

  resetFigures(): void;
  resetConnectionFigures(): void;
}

/** Whether all can be asked of it. */
export function isServing(view: ProcessView): view is ServerView {
  return view.isServing;
}

/** Where things stand now. Times are of requests, from being read to being answered. */
export interface ServerFigures {
  readonly packetsReceived: number;
  readonly packetsSent: number;
  readonly minLatencyMs: number;
  readonly avgLatencyMs: number;
  readonly maxLatencyMs: number;
  readonly outstandingRequests: number;
  readonly connectionCount: number;
  readonly lastZxid: bigint;
  readonly znodeCount: number;
  /** Of data and exist watches, child watches included, as mntr counts them. */
  readonly watchCount: number;
  readonly ephemeralCount: number;
  readonly approximateDataBytes: number;
  readonly sessionCount: number;
  /** Of those that only this server knows. */
  readonly localSessionCount: number;
  /** In bytes; -1 before the first reply. */
  readonly lastResponseBytes: number;
  readonly minResponseBytes: number;
  readonly maxResponseBytes: number;
  readonly connectionDropProbability: number;
  readonly authFailedCount: number;
  readonly fsyncThresholdExceedCount: number;
  /** Null where the system does not tell. */
  readonly openFileDescriptorCount: number | null;
  readonly maxFileDescriptorCount: number | null;
}

export interface ConnectionView {
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** By TLS. */
  readonly isSecure: boolean;
  readonly isReading: boolean;
  readonly isWriting: boolean;
  readonly outstandingRequests: number;
  readonly packetsReceived: number;
  readonly packetsSent: number;
  /** 0n: no session yet, or a four-letter word's connection. */
  readonly sessionId: bigint;
  readonly sessionTimeoutMs: number;
  /** Four letters, `NA` before the first request. */
  readonly lastOperation: string;
  /** Monotonic. */
  readonly establishedMs: number;
  /** Monotonic; when it will be closed or its session expires if it stays silent. */
  readonly expiresMs: number;
  /** -1 before the first request. */
  readonly lastCxid: number;
  readonly lastZxid: bigint;
  /** Monotonic; 0 before the first reply. */
  readonly lastResponseMs: number;
  readonly lastLatencyMs: number;
  readonly minLatencyMs: number;
  readonly avgLatencyMs: number;
  readonly maxLatencyMs: number;
}

export interface ExpiryView {
  /** Monotonic. */
  readonly expiresMs: number;
  readonly sessionIds: readonly bigint[];
}

export interface GlobalSessionView {
  readonly id: bigint;
  readonly timeoutMs: number;
}

export interface WatchSummaryView {
  readonly connections: number;
  readonly paths: number;
  readonly watches: number;
}

export interface DigestView {
  readonly zxid: bigint;
  /** As a signed 64-bit number. */
  readonly digest: bigint;
  readonly version: number;
}

/** Of one namespace (first element of the path), all its quotas added up; -1: no limit. */
export interface QuotaView {
  readonly namespace: string;
  readonly countLimit: number;
  readonly bytesLimit: number;
  readonly countUsage: number;
  readonly bytesUsage: number;
}
