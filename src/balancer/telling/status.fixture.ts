/** A balancer before three servers, as tests show it. */
import type { BalancerStatus, ServerStatus } from './status.js';

const server: ServerStatus = {
  id: 'a:2181',
  set: 'awake',
  isHealthy: true,
  reason: null,
  kind: 'zabra',
  role: 'leader',
  version: '3.9.5-zabra-0.1.0',
  zone: null,
  zxid: '0x300000007',
  lag: 0,
  weight: 1,
  sessions: 4,
  outstanding: 0,
  latencyMs: 0.3,
};

export function statusWith(changes: Partial<BalancerStatus>): BalancerStatus {
  return {
    version: '3.9.5-test',
    uptimeMs: 61_000,
    mask: 'strict',
    policy: { name: 'least-connections', rule: 'least-connections', reason: null },
    subset: { name: 'rw', rule: 'rw', scope: 'ensemble', isPanicking: false },
    listeners: [{ address: '127.0.0.1:2181', isTls: false, isReadOnly: false }],
    servers: [
      server,
      { ...server, id: 'b:2181', set: 'waiting', role: 'follower', sessions: 0, lag: 2 },
      {
        ...server,
        id: 'c:2181',
        set: 'ejected',
        isHealthy: false,
        reason: 'no answer',
        kind: 'unknown',
        role: null,
        version: null,
        zxid: '0x0',
        lag: null,
        sessions: 0,
        outstanding: null,
        latencyMs: null,
      },
    ],
    connections: 4,
    sessions: { attaching: 0, open: 4, quiescing: 0, moving: 0, closed: 0 },
    watches: 3,
    outstanding: 2,
    totals: {
      requests: 100,
      masked: 5,
      moves: 6,
      dropped: 1,
      refusedRequests: 0,
      refusedConnections: 0,
      ejections: 1,
    },
    ...changes,
  };
}
