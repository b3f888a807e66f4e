/** What a run looks at of a server, and how: its state, its clients' bytes, its walks over the tree. */
import { formatZxid, zxidOfParts, type Zxid } from '../../protocol/zxid.js';
import type { Server } from '../../server/server.js';
import type { Tree } from '../../tree/tree.js';
import type { Recovery } from '../checker.js';
import { differenceOf, dumpTree, shared } from '../dump.js';
import { configPath } from '../model.js';
import type { SimSocket, Tap } from '../network.js';
import type { ServerTap } from '../server-tap.js';
import type { Chronicle } from './chronicle.js';
import type { DurableHistory } from './durable-history.js';
import { clientPort } from './parameters.js';

type Witness = ConstructorParameters<typeof ServerTap>[1];

export function zxidOf(tree: Tree): Zxid {
  return zxidOfParts(tree.lastZxidHigh, tree.lastZxidLow);
}

export function stateOf({ tree, sessions }: Server, startNumber: number): Recovery {
  const living: [bigint, number][] = [];
  for (const session of sessions.all()) {
    if (session.isEstablished) living.push([session.id, session.timeoutMs]);
  }
  return { zxid: zxidOf(tree), dump: dumpTree(tree, living), startNumber };
}

/** Two servers have noted different digests of the same moment (as `hash` shows them); null: none. */
export function differingDigest(servers: readonly Glanced[]): string | null {
  const noted = new Map<Zxid, { readonly name: string; readonly digest: bigint }>();
  for (const { name, member } of servers) {
    for (const { zxid, digest } of member?.server?.tree.digests.entries() ?? []) {
      const other = noted.get(zxid);
      if (other !== undefined && other.digest !== digest) {
        return `${other.name} and ${name} have noted different digests at ${formatZxid(zxid)}`;
      }
      noted.set(zxid, { name, digest });
    }
  }
  return null;
}

interface Glanced {
  readonly name: string;
  readonly member: { readonly server: Server | null } | null;
}

/** What two servers hold that is not the same; null: nothing. Each state that was looked at is told. */
export function differingState(
  servers: readonly (Glanced & { readonly starts: number })[],
  tell: (state: Recovery) => void,
): string | null {
  let first: { readonly name: string; readonly state: Recovery } | null = null;
  let found: string | null = null;
  for (const { name, member, starts } of servers) {
    const server = member?.server;
    if (server === undefined || server === null) continue;
    const state = stateOf(server, starts);
    tell(state);
    first ??= { name, state };
    const [one, other] = [shared(first.state.dump), shared(state.dump)];
    found ??= differenceOf(one, first.name, other, name);
  }
  return found;
}

/** Every server shows the configuration, whatever the znode held before. */
export function showsConfig(tree: Tree, due: string): boolean {
  const shown = tree.data(tree.findPath(configPath)) ?? new Uint8Array(0);
  return new TextDecoder().decode(shown) === due;
}

/** What crosses the other ports is no client's. */
export function clientsOnly(tap: Tap): Tap {
  const isMeant = (socket: SimSocket): boolean => socket.localPort === clientPort;
  return {
    onOpen: (socket) => {
      if (isMeant(socket)) tap.onOpen(socket);
    },
    onWrite: (socket, bytes, start, end) => {
      if (isMeant(socket)) tap.onWrite(socket, bytes, start, end);
    },
    onArrival: (socket, byteCount) => {
      if (isMeant(socket)) tap.onArrival(socket, byteCount);
    },
    onRead: (socket) => {
      if (isMeant(socket)) tap.onRead(socket);
    },
    onGone: (socket) => {
      if (isMeant(socket)) tap.onGone(socket);
    },
  };
}

/** Trees are small here: their walks must give way all the same. */
export function shrinkWalks(tree: Tree, nodesMax: number): void {
  const walk = tree.walk.bind(tree);
  tree.walk = () => {
    const started = walk();
    const step = started.step.bind(started);
    started.step = (visit, budgetNodes) => step(visit, Math.min(budgetNodes, nodesMax));
    return started;
  };
}

/** What may be told to clients: of sessions that no transaction makes, the log knows nothing. */
export function witnessOf(
  chronicle: Chronicle,
  hasLocalSessions: boolean,
  own: () => Pick<DurableHistory, 'covers'>,
): Witness {
  return {
    holds: (zxid) => own().covers(zxid),
    get durableZxid() {
      return chronicle.durableZxid;
    },
    hasSession: (id) => hasLocalSessions || chronicle.hasSession(id),
  };
}
