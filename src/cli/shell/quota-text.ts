/**
 * What a quota is and what of it is used, as the servers keep it in the tree: keys and numbers in one
 * line, -1 for none. The odd equals sign behind the bytes keeps old servers from reading further.
 */
export interface Quota {
  /** Znodes, the path itself among them: beyond it, the server warns. */
  readonly count: bigint;
  readonly bytes: bigint;
  /** Beyond these it refuses; undefined: it was written before there were any. */
  readonly countHardLimit?: bigint;
  readonly byteHardLimit?: bigint;
}

export const noQuota = { count: -1n, bytes: -1n, countHardLimit: -1n, byteHardLimit: -1n } as const;

export const limitsNode = 'zookeeper_limits';
export const statsNode = 'zookeeper_stats';
export const quotaRoot = '/zookeeper/quota';

/** What does not belong to it is not read. */
export function readQuota(text: string): Quota {
  const found = new Map<string, bigint>();
  for (const pair of text.split(/[,;]+/)) {
    const [key = '', value = ''] = pair.split('=');
    if (/^-?\d+$/.test(value)) found.set(key, BigInt(value));
  }
  const countHardLimit = found.get('countHardLimit');
  const byteHardLimit = found.get('byteHardLimit');
  return {
    count: found.get('count') ?? -1n,
    bytes: found.get('bytes') ?? -1n,
    ...(countHardLimit === undefined ? {} : { countHardLimit }),
    ...(byteHardLimit === undefined ? {} : { byteHardLimit }),
  };
}

export function quotaText({ count, bytes, countHardLimit, byteHardLimit }: Quota): string {
  const hard = [
    ...(byteHardLimit === undefined ? [] : [`byteHardLimit=${byteHardLimit}`]),
    ...(countHardLimit === undefined ? [] : [`countHardLimit=${countHardLimit}`]),
  ];
  return `count=${count},bytes=${bytes}${hard.length === 0 ? '' : `=;${hard.join(';')}`}`;
}

export function quotaJson(quota: Quota): Record<string, number> {
  return Object.fromEntries(Object.entries(quota).map(([key, value]) => [key, Number(value)]));
}
