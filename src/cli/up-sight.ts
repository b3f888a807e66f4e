/** What one server of `zabra up` tells of itself, by the four-letter words that everybody has. */
import { askWord } from './word-command.js';

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
    const figures = await askWord('srvr', host, port, timeoutMs);
    const monitor = await askWord('mntr', host, port, timeoutMs);
    return readSight(figures, monitor);
  } catch {
    // whatever it is that keeps it from answering: it does not serve
    return { kind: 'silent' };
  }
}

/** From the answers to `srvr` and `mntr`. */
export function readSight(figures: string, monitor: string): Sight {
  const role = /^Mode: (\S+)/m.exec(figures)?.[1];
  const zxid = /^Zxid: (0x[0-9a-f]+)/m.exec(figures)?.[1];
  if (role === undefined || zxid === undefined) return { kind: 'looking' };
  const latency = /^Latency min\/avg\/max: [^/]*\/([^/]*)\/(.*)$/m.exec(figures);
  return {
    kind: 'serving',
    role,
    zxid: BigInt(zxid),
    sessions: Number(/^zk_global_sessions\t(\d+)/m.exec(monitor)?.[1] ?? 0),
    latencyMs: { average: latency?.[1] ?? '', max: latency?.[2] ?? '' },
  };
}
