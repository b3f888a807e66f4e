/** What a run looks at of a server, and how: its state, its clients' bytes, its walks over the tree. */
import { zxidOfParts, type Zxid } from '../../protocol/zxid.js';
import type { Server } from '../../server/server.js';
import type { Tree } from '../../tree/tree.js';
import type { Recovery } from '../checker.js';
import { dumpTree } from '../dump.js';
import type { SimSocket, Tap } from '../network.js';
import { clientPort } from './parameters.js';

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
