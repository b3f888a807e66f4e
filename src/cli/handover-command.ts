/**
 * `zabra handover`: another server is to lead, now, and without an election. For maintenance of the host
 * that leads, or to bring leadership back to where the clients are.
 */
import { askAdmin, type AdminReply } from './admin-client.js';
import { numberOf, parseArguments, UsageError } from './arguments.js';
import { credentialOf } from './credential.js';
import { isLoopback } from './init-plan.js';
import { hostAndPortOf, type HostAndPort } from './place-argument.js';
import { exitCodes } from './terminal.js';
import type { Terminal } from './terminal.js';

export const handoverUsage = `zabra handover [--to ID] [--server HOST:PORT] [--auth digest:USER:PASSWORD]

Hands leadership to another server, or to the best: clients wait for a few milliseconds, and nobody
holds an election. Tells who led, who leads, and how long clients waited.

  --to      the number of the server that is to lead; without it, the one that is furthest
  --server  the AdminServer of a member, 127.0.0.1:8080 unless given; from one that follows it goes
            on to the leader's, on the same port
  --auth    who asks: whoever may do everything at the root. Without it, who comes from this address;
            the variable ZABRA_AUTH says it without showing it to others on this machine

  zabra handover --to 3 --server 10.0.0.1:8080

Ends with 0 when another server leads (with --to: that one), 1 when it did not come to that, 2 for
wrong arguments.`;

/** Where it comes to an election after all, a leader waits for its end for twenty ticks. */
const PATIENCE_MS = 120_000;

const defaultServer = '127.0.0.1:8080';

export async function runHandoverCommand(
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const args = parseArguments(argv, { values: ['to', 'server', 'auth'] });
  const to = numberOf(args, 'to', 0, 255);
  const given = args.values.get('server') ?? defaultServer;
  const server = hostAndPortOf(given);
  if (server === null)
    throw new UsageError(`--server is host:port of an AdminServer, not '${given}'`);
  const credential = credentialOf(args, terminal.env);
  const authorization = credential === null ? 'ip' : `${credential.scheme} ${credential.shown}`;
  try {
    const leader = await leaderFrom(server, terminal);
    const query = to === null ? '' : `?to=${to}`;
    const reply = await askAdmin(leader, 'POST', `/commands/handover${query}`, {
      ...{ headers: { authorization }, timeoutMs: PATIENCE_MS },
    });
    return tell(reply, { to, leader, hasCredential: credential !== null }, terminal);
  } catch (error) {
    terminal.complain(error instanceof Error ? error.message : String(error));
    return exitCodes.unexpected;
  }
}

/** The AdminServer of who leads now, which is told. */
async function leaderFrom(server: HostAndPort, terminal: Terminal): Promise<HostAndPort> {
  const { body } = await askAdmin(server, 'GET', '/commands/leader');
  const { is_leader: isLeader, leader_id: id, leader_ip: ip, error } = body;
  if (typeof id !== 'number' || typeof ip !== 'string' || id < 0) {
    const reason = typeof error === 'string' ? error : 'it knows no leader';
    throw new Error(`${server.host}:${server.port}: ${reason}`);
  }
  terminal.print(`server ${id} leads, at ${ip}\n`);
  if (isLeader === true) return server;
  if (ip === '' || isLoopback(ip)) {
    throw new Error(
      `${server.host}:${server.port} is not its AdminServer: --server names that of server ${id}`,
    );
  }
  return { host: ip, port: server.port };
}

interface Asked {
  readonly to: number | null;
  readonly leader: HostAndPort;
  readonly hasCredential: boolean;
}

function tell({ status, body }: AdminReply, asked: Asked, terminal: Terminal): number {
  const { leader_id: id, leader_id_before: idBefore, gap_ms: gapMs, error } = body;
  if (status === 200 && typeof id === 'number' && typeof gapMs === 'number') {
    if (id === idBefore) {
      terminal.complain(
        `zabra handover: server ${id} was elected again, and clients waited ${gapMs} ms; try again`,
      );
      return exitCodes.unexpected;
    }
    if (asked.to !== null && id !== asked.to) {
      terminal.complain(
        `zabra handover: server ${id} leads now and not server ${asked.to}: it came to an election, ` +
          `and clients waited ${gapMs} ms; try again, at the AdminServer of server ${id}`,
      );
      return exitCodes.unexpected;
    }
    terminal.print(`server ${id} leads now; clients waited ${gapMs} ms\n`);
    return exitCodes.finished;
  }
  const reason = typeof error === 'string' ? error : `it answered with status ${status}`;
  terminal.complain(`zabra handover: ${reason}${hintFor(status, reason, asked)}`);
  return exitCodes.unexpected;
}

function hintFor(status: number, reason: string, { leader, hasCredential }: Asked): string {
  if (status === 401 && hasCredential) {
    return ': --auth is digest:USER:PASSWORD, as the servers know it';
  }
  if (status === 401 || status === 403) {
    return `: ${leader.host} wants somebody who may do everything at '/': --auth digest:USER:PASSWORD`;
  }
  return reason.startsWith('Unknown command') ? ': that server is not Zabra, or an older one' : '';
}
