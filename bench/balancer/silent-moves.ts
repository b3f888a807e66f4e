/**
 * A server is drained while its sessions do nothing but live: how long each of them is without a server.
 */
import { Balancer } from 'zabra/balancer';
import { Members } from '../../test/cluster/members.js';
import { median } from '../statistics.js';
import { IdleSessions } from './idle-sessions.js';

export interface Moves {
  readonly medianMs: number;
  /** Connections of clients that ended. */
  readonly lost: number;
}

const PATIENCE_MS = 60_000;

/** With so many sessions on three servers; a third of them moves. */
export async function silentMoves(count: number, sessionTimeoutMs: number): Promise<Moves> {
  const members = await Members.prepare(['zabra', 'zabra', 'zabra'], {
    purpose: 'bench-moves',
    config: { forceSync: 'no', maxClientCnxns: '0', tickTime: '2000' },
  });
  try {
    await members.startAll();
    await members.untilAllServe();
    const servers = members.sids
      .map((sid) => members.addressOf(sid))
      .map(({ host, port }) => `${host}:${port}`);
    const balancer = new Balancer({ listen: ['127.0.0.1:0'], servers: servers.join() });
    await balancer.start();
    try {
      const port = Number(balancer.listeners[0]?.address.split(':').at(-1));
      const sessions = await IdleSessions.open(port, count, sessionTimeoutMs);
      const tookMs: number[] = [];
      balancer.on('move', ({ outcome, tookMs: ms }) => {
        if (outcome === 'moved') tookMs.push(ms);
      });
      const [drained = ''] = servers;
      balancer.drain(drained);
      await untilEmpty(balancer, drained);
      await sessions.ping();
      const { lost } = sessions;
      sessions.close();
      return { medianMs: median(tookMs), lost };
    } finally {
      await balancer.stop();
    }
  } finally {
    await members.dispose();
  }
}

async function untilEmpty(balancer: Balancer, id: string): Promise<void> {
  const deadline = AbortSignal.timeout(PATIENCE_MS);
  const left = (): number =>
    balancer.status().servers.find((server) => server.id === id)?.sessions ?? 0;
  while (left() > 0) {
    deadline.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
