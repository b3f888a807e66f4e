/** What is still to come before a calm ensemble has settled (S24, E2), in words. */
import { formatZxid } from '../../protocol/zxid.js';
import type { SimClient } from '../client.js';
import type { Chronicle } from './chronicle.js';
import { zxidOf } from './glances.js';
import type { SimMember } from './sim-member.js';

interface World {
  readonly members: readonly SimMember[];
  readonly clients: readonly SimClient[];
  readonly chronicle: Chronicle;
}

/** One leader, everybody at the end of the one history, clients served, sessions of the others over: ''. */
export function unsettled({ members, clients, chronicle }: World): string {
  const idle = members.filter(({ member }) => member?.server?.isServing !== true);
  if (idle.length > 0) return `${idle.map(({ name }) => name).join()} do not serve`;
  const leaders = members.filter(({ isLeading }) => isLeading);
  const leader = leaders[0]?.member?.server;
  if (leaders.length !== 1 || leader === undefined || leader === null) {
    return `${leaders.length} lead`;
  }
  const waiting = clients.filter((client) => !client.isGone && !client.isProven);
  if (waiting.length > 0) return `${waiting.map((client) => client.name).join()} got no write done`;
  const living = new Set<bigint>();
  for (const client of clients) if (!client.isGone) living.add(client.sessionId);
  for (const session of leader.sessions.all()) {
    if (!living.has(session.id)) return `session ${session.id} has not expired`;
  }
  for (const { name, member } of members) {
    const server = member?.server;
    if (server === undefined || server === null) return `${name} does not serve`;
    for (const session of server.replica.localSessions?.tracker.all() ?? []) {
      if (!living.has(session.id)) return `${name} has not expired session ${session.id}`;
    }
    const zxid = zxidOf(server.tree);
    if (chronicle.positionOf(zxid) !== chronicle.txns.length) {
      return `${name} is at ${formatZxid(zxid)}, committed is ${formatZxid(chronicle.last)}`;
    }
  }
  return '';
}
