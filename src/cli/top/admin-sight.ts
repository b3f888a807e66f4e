/**
 * The same by the AdminServer, for servers whose whitelist does not name the words: figures and
 * connections as JSON over HTTP.
 */
import type { SessionSight } from './sight.js';

export interface AdminSight {
  readonly watches: number | null;
  readonly sessions: readonly SessionSight[];
}

const timeoutMs = 2000;

/** Null: there is none, or it tells nothing. */
export async function askAdminServer(host: string, port: number): Promise<AdminSight | null> {
  const at = `http://${host.includes(':') ? `[${host}]` : host}:${port}/commands`;
  try {
    const [monitor, connections] = await Promise.all([
      textOf(`${at}/monitor`),
      textOf(`${at}/connections`),
    ]);
    return adminSightOf(monitor, connections);
  } catch {
    // whatever it is that listens there: it is no AdminServer
    return null;
  }
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  return await response.text();
}

export function adminSightOf(monitor: string, connections: string): AdminSight {
  const watches = /"watch_count"\s*:\s*(\d+)/.exec(monitor)?.[1];
  // ids have 64 bits, which a number of JSON does not hold
  const exact = connections.replace(/("(?:session_id|last_zxid)"\s*:\s*)(-?\d+)/g, '$1"$2"');
  const found = JSON.parse(exact) as Record<string, unknown>;
  const all = [found['connections'], found['secure_connections']].flatMap((list) =>
    Array.isArray(list) ? (list as Record<string, unknown>[]) : [],
  );
  return {
    watches: watches === undefined ? null : Number(watches),
    sessions: all.filter((one) => sessionIdOf(one) !== 0n).map(sessionOf),
  };
}

function sessionIdOf(connection: Record<string, unknown>): bigint {
  return bigintOf(connection['session_id']);
}

function sessionOf(connection: Record<string, unknown>): SessionSight {
  const number = (key: string): number => Number(connection[key] ?? 0);
  const text = (key: string): string => {
    const value = connection[key];
    return typeof value === 'string' ? value : '';
  };
  return {
    id: `0x${BigInt.asUintN(64, sessionIdOf(connection)).toString(16)}`,
    client: text('remote_socket_address').replace(/^[^/]*\//, ''),
    timeoutMs: number('session_timeout'),
    lastOperation: text('last_operation'),
    received: number('packets_received'),
    outstanding: number('outstanding_requests'),
    latencyMs: { average: number('avg_latency'), max: number('max_latency') },
    lastZxid: BigInt.asUintN(64, bigintOf(connection['last_zxid'])),
  };
}

function bigintOf(value: unknown): bigint {
  return typeof value === 'string' && /^-?\d+$/.test(value) ? BigInt(value) : 0n;
}
