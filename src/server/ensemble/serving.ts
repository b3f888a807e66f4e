/**
 * Who serves the clients that come to a server of an ensemble: the server of its role; while it has
 * none and finds no leader, one that only reads, where that is wanted; otherwise nobody, and whoever
 * comes is told so.
 */
import type { Socket, SocketHandler } from '../../ports/network.js';
import type { Restore } from '../../storage/restore.js';
import type { RoleName } from '../../zab/ready.js';
import type { Applier } from '../applier.js';
import type { EnsembleView } from '../commands/ensemble-view.js';
import { runFourLetterWord } from '../commands/four-letter-answers.js';
import type { ProcessView } from '../commands/view.js';
import type { ServerConfig } from '../config/config.js';
import { ReadOnlyReplica } from '../read-only-replica.js';
import type { ServerWorld } from '../server-world.js';
import { Server, type ServerParts } from '../server.js';
import { Alone } from './alone.js';
import { showConfig } from './config-znode.js';
import type { History } from './history.js';
import { IdleClients } from './idle-client.js';
import type { MemberFigures } from './member-figures.js';
import type { Membership } from './membership.js';

const modes = { leading: 'leader', following: 'follower', observing: 'observer' } as const;

export interface ServingParts {
  readonly world: ServerWorld;
  readonly history: History;
  readonly membership: Membership;
  readonly figures: MemberFigures;
  readonly ensembleView: EnsembleView;
  /** What can be asked while nobody is served. */
  readonly idleView: ProcessView;
  /** As it is now. */
  config(): ServerConfig;
  /** Where clients find this server. */
  address(): { readonly host: string; readonly port: number };
  /** What has arrived takes the place of the ensemble's state. */
  restore(restore: Restore): Promise<void>;
  /** There is no role, and none is about to be entered. */
  isWithoutRole(): boolean;
}

export class Serving {
  readonly #parts: ServingParts;
  readonly #alone: Alone;
  readonly #idle: IdleClients;
  #server: Server | null = null;
  /** Of whichever server took it. */
  #lastSnapshot: Server['lastSnapshot'];

  constructor(parts: ServingParts, lastSnapshot: Server['lastSnapshot']) {
    const { world, idleView, figures } = parts;
    const config = parts.config();
    this.#parts = parts;
    this.#lastSnapshot = lastSnapshot;
    const openAlone = config.readOnlyModeEnabled ? (): Server | null => this.#serveAlone() : null;
    this.#alone = new Alone(world.clock, config.tickTimeMs, openAlone);
    this.#idle = new IdleClients(world.clock, config.sessionlessCnxnTimeoutMs, {
      answer: (word, argument) => runFourLetterWord(word, idleView, argument),
      onGone: () => {
        figures.turnedAway();
      },
    });
  }

  /** Of the role that serves; null: there is none. */
  get server(): Server | null {
    return this.#server;
  }

  /** The one that serves read-only clients for want of a leader; null while there is no need. */
  get readOnlyServer(): Server | null {
    return this.#alone.server;
  }

  /** For words and admin commands, whether or not anybody is served. */
  get view(): ProcessView {
    return (this.#server ?? this.#alone.server)?.view ?? this.#parts.idleView;
  }

  /** A client has come. */
  accept(socket: Socket): SocketHandler {
    const server = this.#server ?? this.#alone.server;
    return server === null ? this.#idle.accept(socket) : server.port.accept(socket);
  }

  /** In this role, from here on. */
  begin(role: RoleName, makeReplica: ServerParts['makeReplica']): Server {
    const { history, membership, world } = this.#parts;
    const applier = history.beginServing();
    showConfig(history.tree, membership.inForce, world.clock.wallMs());
    const server = this.#make(applier, modes[role], makeReplica);
    server.restorer = (restore) => this.#parts.restore(restore);
    this.#server = server;
    server.serve();
    return server;
  }

  /** The role is over. Settles when nothing of its server goes on. */
  async end(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    this.#lastSnapshot = server.lastSnapshot;
    await server.leave();
  }

  /** The search for a leader begins: after a while, whoever only reads is served without one. */
  beginAlone(): void {
    this.#alone.begin();
  }

  /**
   * A leader was found: read-only clients come again, to a server that can write. Null: nobody is
   * served without one, nor will be.
   */
  endAlone(): Promise<void> | null {
    const wasServing = this.#alone.server !== null;
    const ended = this.#alone.end();
    return wasServing ? ended : null;
  }

  /** Of what a server can take over while it runs. */
  reconfigure(config: ServerConfig): void {
    for (const server of this.#both()) server.reconfigure(config);
  }

  /** Clients find this server elsewhere. */
  onMoved(): void {
    for (const server of this.#both()) server.listeningAt = this.#parts.address();
  }

  /** Nobody is served any more without a role, and whoever waits for one is sent away. */
  async close(): Promise<void> {
    await this.#alone.end();
    this.#idle.close();
  }

  *#both(): Generator<Server> {
    if (this.#server !== null) yield this.#server;
    if (this.#alone.server !== null) yield this.#alone.server;
  }

  #serveAlone(): Server | null {
    if (!this.#parts.isWithoutRole()) return null;
    const { history, membership, world } = this.#parts;
    world.logger.warn('no leader: serving what is here, to read-only clients only');
    const { applier } = history;
    // it may not have had a role yet
    showConfig(history.tree, membership.inForce, world.clock.wallMs());
    const { localSessionsEnabled } = this.#parts.config().ensemble;
    const replica = new ReadOnlyReplica(applier, localSessionsEnabled);
    const server = this.#make(applier, 'read-only', () => replica);
    server.serve();
    return server;
  }

  #make(applier: Applier, mode: Server['mode'], makeReplica: ServerParts['makeReplica']): Server {
    const { world, history, figures, ensembleView } = this.#parts;
    const server = new Server(this.#parts.config(), world, {
      storage: history.storage,
      applier,
      makeReplica,
      figures: figures.process,
    });
    server.ensemble = ensembleView;
    server.mode = mode;
    server.listeningAt = this.#parts.address();
    server.lastSnapshot = this.#lastSnapshot;
    return server;
  }
}
