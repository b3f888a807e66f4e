/**
 * How a server becomes a member of an ensemble that runs, and ceases to be one. A server that joins is
 * a learner without a vote at first, brought up to date like any other; then it asks, over its own
 * pipeline, for a reconfiguration that counts it in. The leader trusts what its learners vouch for, so
 * no client needs to be allowed to reconfigure.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCode, errorSentence } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import type { ServerConfig } from '../server/config/config.js';
import type { EnsembleServer } from '../server/config/ensemble-config.js';
import { readMembers, type Members } from '../server/config/members.js';
import type { Member } from '../server/ensemble/member.js';
import { LocalSession, type Reply } from '../server/local-session.js';
import { askMembers } from './ask-members.js';

const ASK_TIMEOUT_MS = 5000;
const SESSION_TIMEOUT_MS = 30_000;
/** Between attempts of a reconfiguration that another one, or an election, is in the way of. */
const RETRY_MS = 50;

/** The ensemble itself asks: its ACL on the configuration is for clients. */
const theEnsemble = { authIds: [{ scheme: 'super', id: '' }] };

/** Of `host:port`, or several of them with commas; the first that answers counts. */
export async function membersAt(addresses: string): Promise<Members> {
  let problem: Error = new TypeError(`'${addresses}' is no host:port`);
  for (const address of addresses.split(',')) {
    const [, host, port] = /^\s*\[?(.+?)\]?:(\d{1,5})\s*$/.exec(address) ?? [];
    if (host === undefined) continue;
    try {
      const where = { host, port: Number(port), timeoutMs: ASK_TIMEOUT_MS };
      const text = await askMembers(where);
      const reading = readMembers(text);
      if (reading.ok && reading.members.servers.size > 0) return reading.members;
      problem = new Error(`${host}:${Number(port)} is no member of an ensemble`);
    } catch (reason) {
      problem = reason instanceof Error ? reason : new Error(String(reason));
    }
  }
  throw problem;
}

/** As zoo.cfg would say it. */
export function placeOf(server: EnsembleServer): string {
  const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);
  const places = server.addresses.map(
    ({ host, quorumPort, electionPort }) => `${bracketed(host)}:${quorumPort}:${electionPort}`,
  );
  const client =
    server.client === null ? '' : `;${bracketed(server.client.host)}:${server.client.port}`;
  return `${places.join('|')}:${server.role}${client}`;
}

/** The configuration of a member: what it had, among these. */
export function memberConfig(
  config: ServerConfig,
  members: Members,
  limits: { readonly initLimit: number; readonly syncLimit: number },
): ServerConfig {
  const { servers, groupOf, weightOf, version } = members;
  const own = servers.get(config.myid ?? 1);
  const client = own?.client ?? null;
  return {
    ...config,
    ...(client === null ? {} : { clientPort: client.port, clientPortAddress: client.host }),
    ensemble: {
      ...config.ensemble,
      ...{ servers, groupOf, weightOf, version },
      ...limits,
      ...{ standaloneEnabled: false, reconfigEnabled: true, isDistributed: true },
      peerType: own?.role ?? config.ensemble.peerType,
    },
  };
}

interface Change {
  readonly joining: string | null;
  readonly leaving: string | null;
}

/** Asks until the ensemble has decided; `isDone`: what was asked for is in force. */
export async function reconfigure(
  member: Member,
  change: Change,
  isDone: () => boolean,
  timeoutMs: number,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  let refusal = 'nobody leads';
  while (!isDone()) {
    if (performance.now() > deadlineMs) {
      throw new Error(`the ensemble was not reconfigured in ${timeoutMs} ms: ${refusal}`);
    }
    const reply = await ask(member, change).catch((problem: unknown) => {
      refusal = problem instanceof Error ? problem.message : String(problem);
      return null;
    });
    if (reply !== null && reply.error !== ErrorCode.ok) {
      refusal = errorSentence(reply.error);
      if (!isPassing(reply.error)) throw new Error(`the ensemble refuses: ${refusal}`);
    }
    if (!isDone()) await sleep(RETRY_MS);
  }
}

function isPassing(error: number): boolean {
  return (
    error === ErrorCode.newConfigNoQuorum ||
    error === ErrorCode.reconfigInProgress ||
    error === ErrorCode.sessionExpired ||
    error === ErrorCode.sessionMoved
  );
}

async function ask(member: Member, { joining, leaving }: Change): Promise<Reply> {
  const { server } = member;
  if (server === null) throw new Error('nobody leads');
  const { clock } = server.world;
  const session = await LocalSession.open(server.port, clock, SESSION_TIMEOUT_MS, theEnsemble);
  try {
    return await session.request({
      op: OpCode.reconfig,
      body: {
        joiningServers: joining,
        leavingServers: leaving,
        newMembers: null,
        curConfigId: -1n,
      },
    });
  } finally {
    // whoever was taken out has no session to close any more
    await session.close().catch(() => undefined);
  }
}
