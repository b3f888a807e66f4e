/**
 * What one server tells of itself and of its clients, by the four-letter words srvr, mntr and cons.
 * A server tells what its whitelist lets it: what is missing is named, so that who reads knows why.
 */
import { figureOf, readMntr, readSrvr, refusalIn } from '../../protocol/four-letter-words.js';
import { askWord } from '../words/ask-word.js';
import { askAdminServer } from './admin-sight.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface SessionSight {
  readonly id: string;
  /** Address and port of the client. */
  readonly client: string;
  readonly timeoutMs: number;
  /** The kind of its last request: GETD, PING … */
  readonly lastOperation: string;
  readonly received: number;
  readonly outstanding: number;
  readonly latencyMs: { readonly average: number; readonly max: number };
  /** The newest transaction that it was told of. */
  readonly lastZxid: bigint;
}

export interface ServerSight {
  readonly address: Address;
  /** leader, follower, observer, standalone, read-only, balancer; `looking`, or `silent`: no answer. */
  readonly role: string;
  readonly version: string;
  readonly zxid: bigint | null;
  readonly received: number;
  readonly connections: number;
  readonly outstanding: number;
  readonly znodes: number;
  readonly watches: number | null;
  readonly latencyMs: { readonly average: number; readonly max: number } | null;
  readonly sessions: readonly SessionSight[];
  /** Words that it does not answer. */
  readonly refused: readonly string[];
  /** Of a balancer: how it chooses, and the servers behind it with the set that each is in. */
  readonly behind: readonly string[];
}

const timeoutMs = 2000;

/** `adminPort`: where the AdminServer is asked for what the words do not tell. */
export async function lookAtServer(address: Address, adminPort: number): Promise<ServerSight> {
  const words = ['srvr', 'mntr', 'cons'] as const;
  const answers = await Promise.allSettled(
    words.map((word) => askWord(word, address, { timeoutMs })),
  );
  const [srvr, mntr, cons] = answers.map((answer) =>
    answer.status === 'fulfilled' ? answer.value : null,
  );
  const sight = sightOf(address, { srvr: srvr ?? null, mntr: mntr ?? null, cons: cons ?? null });
  if (sight.refused.length === 0) return sight;
  const admin = await askAdminServer(address.host, adminPort);
  return admin === null ? sight : { ...sight, ...admin, refused: [] };
}

interface Answers {
  readonly srvr: string | null;
  readonly mntr: string | null;
  readonly cons: string | null;
}

/** Null: there was no answer. */
export function sightOf(address: Address, answers: Answers): ServerSight {
  const isRefused = (text: string | null): boolean =>
    text !== null && refusalIn(text) === 'not-whitelisted';
  const known = Object.entries(answers).filter(([, text]) => text !== null);
  const refused = known.filter(([, text]) => isRefused(text as string)).map(([word]) => word);
  const srvr = readSrvr(answers.srvr ?? '');
  const mntr = readMntr(answers.mntr ?? '');
  const silence = known.length === 0 ? 'silent' : known.length > refused.length ? 'looking' : '?';
  const monitored = (name: string): number => figureOf(mntr, name) ?? 0;
  const latency = srvr?.latencyMs ?? null;
  return {
    address,
    role: srvr?.mode ?? mntr.get('server_state') ?? silence,
    version: srvr?.version ?? '',
    zxid: srvr?.zxid ?? null,
    received: srvr?.received ?? monitored('packets_received'),
    connections: srvr?.connections ?? monitored('num_alive_connections'),
    outstanding: srvr?.outstanding ?? monitored('outstanding_requests'),
    znodes: srvr?.nodeCount ?? monitored('znode_count'),
    watches: figureOf(mntr, 'watch_count'),
    latencyMs: latency === null ? null : { average: latency.avg, max: latency.max },
    sessions: sessionsIn(answers.cons ?? ''),
    refused,
    behind: answers.srvr?.match(/^(?:Policy|Subset|Server \S+): .*$/gm) ?? [],
  };
}

/** Connections without a session, as the one that asks, are left out. */
function sessionsIn(text: string): SessionSight[] {
  const sessions: SessionSight[] = [];
  for (const [, client = '', inner = ''] of text.matchAll(/^ ?\/(\S+)\[\d+\]\((.*)\)$/gm)) {
    const fields = new Map(
      inner.split(',').map((pair) => {
        const at = pair.indexOf('=');
        return [pair.slice(0, at), pair.slice(at + 1)] as const;
      }),
    );
    const id = fields.get('sid');
    if (id === undefined) continue;
    const number = (key: string): number => Number(fields.get(key) ?? 0);
    const zxid = fields.get('lzxid') ?? '0x0';
    sessions.push({
      id,
      client,
      timeoutMs: number('to'),
      lastOperation: fields.get('lop') ?? '',
      received: number('recved'),
      outstanding: number('queued'),
      latencyMs: { average: number('avglat'), max: number('maxlat') },
      lastZxid: /^0x[0-9a-f]+$/.test(zxid) ? BigInt(zxid) : 0n,
    });
  }
  return sessions;
}
