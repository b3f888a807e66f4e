/**
 * What one server tells of itself and of its clients, by the four-letter words srvr, mntr and cons.
 * A server tells what its whitelist lets it: what is missing is named, so that who reads knows why.
 */
import { askWord } from '../word-command.js';
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
  /** leader, follower, observer, standalone, read-only; `looking`, or `silent`: no answer. */
  readonly role: string;
  readonly version: string;
  readonly zxid: bigint | null;
  readonly received: number;
  readonly connections: number;
  readonly outstanding: number;
  readonly znodes: number;
  readonly watches: number | null;
  readonly latencyMs: { readonly average: string; readonly max: string } | null;
  readonly sessions: readonly SessionSight[];
  /** Words that it does not answer. */
  readonly refused: readonly string[];
}

const timeoutMs = 2000;

/** `adminPort`: where the AdminServer is asked for what the words do not tell. */
export async function lookAtServer(address: Address, adminPort: number): Promise<ServerSight> {
  const words = ['srvr', 'mntr', 'cons'] as const;
  const answers = await Promise.allSettled(
    words.map((word) => askWord(word, address.host, address.port, timeoutMs)),
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
  const known = Object.entries(answers).filter(([, text]) => text !== null);
  const refused = known.filter(([, text]) => isRefusal(text as string)).map(([word]) => word);
  const of = (word: keyof Answers): string => {
    const text = answers[word];
    return text === null || isRefusal(text) ? '' : text;
  };
  const [srvr, mntr] = [of('srvr'), of('mntr')];
  const figure = (key: string): number | null => {
    const found = new RegExp(`^${key}\\t(.*)$`, 'm').exec(mntr)?.[1];
    return found === undefined ? null : Number(found);
  };
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: (.*)$`, 'm').exec(srvr)?.[1];
  const zxid = field('Zxid');
  const latency = field('Latency min/avg/max')?.split('/');
  const role = field('Mode') ?? /^zk_server_state\t(.*)$/m.exec(mntr)?.[1];
  return {
    address,
    role: role ?? (known.length === 0 ? 'silent' : known.length > refused.length ? 'looking' : '?'),
    version: field('Zookeeper version')?.split(',')[0] ?? '',
    zxid: zxid === undefined ? null : BigInt(zxid),
    received: Number(field('Received') ?? figure('zk_packets_received') ?? 0),
    connections: Number(field('Connections') ?? figure('zk_num_alive_connections') ?? 0),
    outstanding: Number(field('Outstanding') ?? figure('zk_outstanding_requests') ?? 0),
    znodes: Number(field('Node count') ?? figure('zk_znode_count') ?? 0),
    watches: figure('zk_watch_count'),
    latencyMs: latency === undefined ? null : { average: latency[1] ?? '', max: latency[2] ?? '' },
    sessions: sessionsIn(of('cons')),
    refused,
  };
}

function isRefusal(text: string): boolean {
  return /is not executed because it is not in the whitelist/.test(text);
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
