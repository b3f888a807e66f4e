/**
 * The three ports of a server of an ensemble: for votes, for learners, for clients. They are open in
 * every role and between roles, and move when a reconfiguration moves them.
 */
import { present } from '../../base/assert.js';
import type { Socket, SocketHandler } from '../../ports/network.js';
import type { Notification } from '../../protocol/peer/notification.js';
import type { HearingView } from '../commands/ensemble-view.js';
import type { ServerConfig } from '../config/config.js';
import type { EnsembleServer } from '../config/ensemble-config.js';
import type { ServerWorld } from '../server-world.js';
import { ElectionPort, type ElectionPortEvents, type PeerAddress } from './election-port.js';
import { Listening, type ListenAddress } from './listening.js';
import type { Membership } from './membership.js';

/** A connection to another election port. */
const CONNECT_TIMEOUT_MS = 5000;

interface MemberPortsParts {
  readonly config: ServerConfig;
  readonly world: ServerWorld;
  readonly sid: number;
  readonly membership: Membership;
  readonly election: ElectionPortEvents;
  onLearner(socket: Socket): SocketHandler;
  onClient(socket: Socket): SocketHandler;
}

export class MemberPorts {
  readonly #parts: MemberPortsParts;
  readonly #quorum: Listening;
  readonly #client: Listening;
  /** Where clients come by TLS; no reconfiguration moves it. */
  readonly #secure: Listening | null;
  #election: ElectionPort | null = null;
  /** Where it is, and was last when it is in no configuration any more: it says so in its hello. */
  #own: EnsembleServer;

  constructor(parts: MemberPortsParts) {
    this.#parts = parts;
    const { world, sid, membership } = parts;
    this.#own = present(membership.inForce.members.servers.get(sid), 'a server begins as a member');
    this.#quorum = new Listening(world, 'learners', (socket) => parts.onLearner(socket));
    const onClient = (socket: Socket): SocketHandler => parts.onClient(socket);
    const { network, clientNetwork = network, secureNetwork } = world;
    this.#client = new Listening({ ...world, network: clientNetwork }, 'clients', onClient);
    this.#secure =
      parts.config.secureClientPort === -1 || secureNetwork === undefined
        ? null
        : new Listening({ ...world, network: secureNetwork }, 'clients by TLS', onClient);
  }

  /** Rejects with the system's error when an address cannot be had. */
  async open(): Promise<void> {
    const { config, world, sid, membership, election } = this.#parts;
    const { network, clock, logger } = world;
    const listenHost = config.ensemble.quorumListenOnAllIps ? { listenHost: null } : {};
    this.#election = await ElectionPort.listen(
      {
        ...{ network, clock, logger, mySid: sid },
        peers: () => this.#peers(),
        ...listenHost,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        useV2: multiAddressEnabled(config),
        // whoever may be added one day asks who leads before that
        isKnown: (other) => membership.isEnabled || membership.inForce.members.servers.has(other),
      },
      election,
    );
    await this.#quorum.open(this.#quorumAddresses(this.#own));
    const { clientPort, clientPortAddress, secureClientPort, secureClientPortAddress } = config;
    if (clientPort !== -1) {
      await this.#client.open([{ host: clientPortAddress ?? undefined, port: clientPort }]);
    }
    const secureHost = secureClientPortAddress ?? undefined;
    await this.#secure?.open([{ host: secureHost, port: secureClientPort }]);
  }

  /** Where clients reach this server. */
  get clientAddress(): { readonly host: string; readonly port: number } {
    const { host = '', port = 0 } = this.#client.first ?? this.#secure?.first ?? {};
    return { host, port };
  }

  /** The configuration has changed. Settles when the ports have moved, or could not. */
  async follow(): Promise<void> {
    const { sid, membership } = this.#parts;
    // whoever was taken out goes on as it was until it is stopped
    this.#own = membership.inForce.members.servers.get(sid) ?? this.#own;
    this.#election?.setPeers();
    this.#election?.connectAll();
    const { client } = this.#own;
    await Promise.all([
      this.#election?.rebind(),
      this.#quorum.move(this.#quorumAddresses(this.#own)),
      client === null ? null : this.#client.move([client]),
    ]);
  }

  send(to: number, notification: Notification): void {
    this.#election?.send(to, notification);
  }

  /** Connects to every server that votes or watches the votes. */
  connectAll(): void {
    this.#election?.connectAll();
  }

  /** The connection for votes with that server; null: there is none. */
  hearing(sid: number): HearingView | null {
    return this.#election?.hearing(sid) ?? null;
  }

  async close(): Promise<void> {
    await Promise.all([
      this.#election?.close(),
      this.#client.close(),
      this.#secure?.close(),
      this.#quorum.close(),
    ]);
  }

  #quorumAddresses({ addresses }: EnsembleServer): ListenAddress[] {
    const onAll = this.#parts.config.ensemble.quorumListenOnAllIps;
    return addresses.map(({ host, quorumPort: port }) => ({
      host: onAll ? undefined : host,
      port,
    }));
  }

  #peers(): Map<number, PeerAddress> {
    const { inForce, lastSeen } = this.#parts.membership;
    const peers = new Map<number, PeerAddress>();
    // who is about to join is asked, too; where it is in both, the place in force counts
    const seen = [lastSeen, inForce].flatMap(({ members }) => [...members.servers.values()]);
    for (const { sid, addresses } of [...seen, this.#own]) {
      const electionAddresses = addresses.map(({ host, electionPort: port }) => ({ host, port }));
      peers.set(sid, { electionAddresses });
    }
    return peers;
  }
}

export function multiAddressEnabled({ ensemble }: ServerConfig): boolean {
  return ensemble.otherSettings.get('multiAddress.enabled')?.toLowerCase() === 'true';
}
