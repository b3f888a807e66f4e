/** What a server or a balancer of `zabra up` tells of itself, by the four-letter words that everybody has. */
import { figureOf, readMntr, readSrvr } from '../protocol/four-letter-words.js';
import { askWord } from './words/ask-word.js';

export interface ServingSight {
  readonly kind: 'serving';
  readonly role: string;
  readonly zxid: bigint;
  readonly sessions: number;
  readonly latencyMs: { readonly average: string; readonly max: string };
}

export type Sight =
  | ServingSight
  /** It answers, and has no leader. */
  | { readonly kind: 'looking' }
  /** Not started yet, dead, or paused. */
  | { readonly kind: 'silent' };

const timeoutMs = 2000;

export async function lookAt(host: string, port: number): Promise<Sight> {
  try {
    const figures = await askWord('srvr', { host, port }, { timeoutMs });
    const monitor = await askWord('mntr', { host, port }, { timeoutMs });
    return readSight(figures, monitor);
  } catch {
    // whatever it is that keeps it from answering: it does not serve
    return { kind: 'silent' };
  }
}

/** A balancer that answers serves, with whatever servers it has. */
export async function lookAtBalancer(host: string, port: number): Promise<Sight> {
  try {
    return readBalancerSight(await askWord('mntr', { host, port }, { timeoutMs }));
  } catch {
    return { kind: 'silent' };
  }
}

/** From the answer to `mntr`. */
export function readBalancerSight(monitor: string): Sight {
  const figures = readMntr(monitor);
  if (figures.get('server_state') !== 'balancer') return { kind: 'looking' };
  return {
    kind: 'serving',
    role: 'balancer',
    zxid: 0n,
    sessions: figureOf(figures, 'balancer_sessions_open') ?? 0,
    latencyMs: {
      average: figures.get('avg_latency') ?? '',
      max: figures.get('max_latency') ?? '',
    },
  };
}

/** From the answers to `srvr` and `mntr`. */
export function readSight(figures: string, monitor: string): Sight {
  const read = readSrvr(figures);
  if (read === null) return { kind: 'looking' };
  const { mode, zxid, latencyMs } = read;
  return {
    kind: 'serving',
    role: mode,
    zxid,
    sessions: figureOf(readMntr(monitor), 'global_sessions') ?? 0,
    latencyMs: {
      average: String(latencyMs?.avg ?? ''),
      max: String(latencyMs?.max ?? ''),
    },
  };
}
