/** What a role is given of the server that enters it, and what it must be able to do. */
import type { Clock } from '../../ports/clock.js';
import type { Logger } from '../../ports/logger.js';
import type { Network, Socket, SocketHandler } from '../../ports/network.js';
import { ownCapabilities, type PeerExtension } from '../../protocol/peer/extension.js';
import type { TxnBatch } from '../../protocol/txn-batch.js';
import type { CommittedLog } from '../../zab/committed-log.js';
import type { Succession } from '../../zab/succession.js';
import type { CommittedRange, Persist, Ready } from '../../zab/ready.js';
import type { Storage } from '../../storage/storage.js';
import type { Applier } from '../applier.js';
import type { Tree } from '../../tree/tree.js';
import type { ServerConfig } from '../config/config.js';
import type { Server, ServerParts } from '../server.js';
import type { Configuration, Membership } from './membership.js';
import type { MemberFigures } from './member-figures.js';
import type { RoleView } from './role-view.js';

export interface Surroundings {
  readonly config: ServerConfig;
  readonly sid: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly network: Network;
  readonly storage: Storage;
  readonly committedLog: CommittedLog;
  readonly membership: Membership;
  readonly figures: MemberFigures;
  /** The state now; another one after a rebase. */
  readonly applier: () => Applier;
  readonly takeBatch: () => TxnBatch;
  /** Makes it durable, memory following; never calls `done` when the disk fails. */
  readonly persist: (persist: Persist, rebase: Ready['rebase'], done: () => void) => void;
  /** What a snapshot brought: `persist` with `install` takes it over. */
  readonly received: (tree: Tree, sessions: Map<bigint, number>) => void;
  /** Serves clients from here on. */
  readonly serve: (makeReplica: ServerParts['makeReplica']) => Server;
  /** The epoch is known: who looks for a leader is told so. */
  readonly onEpoch: (epoch: number) => void;
  /** It is in force from now on. Null: it was, or a later one; otherwise the one before. */
  readonly activate: (configuration: Configuration) => Configuration | null;
  /** Of the election that this role came of. */
  readonly electionRound: () => bigint;
  /** The role is over. */
  readonly onEnd: (reason: string) => void;
}

/** What this server tells others of itself. */
export function ownExtension(config: ServerConfig): PeerExtension {
  return { capabilities: ownCapabilities, priority: config.leaderPriority };
}

export interface Role {
  readonly name: 'leading' | 'following' | 'observing';
  /** Clients are served. */
  readonly isServing: boolean;
  /** What it knows of the other servers. */
  readonly view: RoleView;
  /** The disk has not answered yet: the role is not over before it has. */
  readonly isPersisting: boolean;
  /** Who leads after this, once the role has ended by hand-over. */
  readonly succession: Succession | null;
  /** At its end: an epoch above which the next one must be; 0: none in particular. */
  readonly epochFloor: number;
  /** At its end: the leader would not have this server, or died when it had heard what that has. */
  readonly wasRefused: boolean;
  /** Takes the first step; the role may be over before this returns. */
  begin(): void;
  tick(nowMs: number): void;
  /** A connection on the quorum port. */
  accept(socket: Socket): SocketHandler;
  /** Ends it; `onEnd` follows. */
  stop(reason: string): void;
  /** What is on the disk and not in memory, once it has ended. */
  takeRest(): CommittedRange[];
  /** All its connections are let go. */
  close(): void;
}
