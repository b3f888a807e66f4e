/**
 * Quotas: /zookeeper/quota/<path>/zookeeper_limits says how many znodes and bytes a subtree may
 * hold, zookeeper_stats beside it how many it does. Soft limits are told to the operator, hard ones
 * refuse the write, and only where `enforceQuota` is on. The numbers judged are those applied, as
 * Apache judges them: what is outstanding is not counted.
 */
import { decodeUtf8 } from '../protocol/utf8.js';
import type { Tree } from '../tree/tree.js';

export interface QuotaLimits {
  /** -1: no limit. */
  readonly count: number;
  readonly bytes: number;
  readonly countHardLimit: number;
  readonly byteHardLimit: number;
}

/** Reads `count=5,bytes=100=;byteHardLimit=200;countHardLimit=10`, in any order, parts missing. */
export function parseQuota(text: string): QuotaLimits {
  const found = new Map<string, number>();
  for (const part of text.split(/[,;]+/)) {
    const [key, value] = part.split('=');
    if (key !== undefined && value !== undefined && value !== '') found.set(key, Number(value));
  }
  return {
    count: found.get('count') ?? -1,
    bytes: found.get('bytes') ?? -1,
    countHardLimit: found.get('countHardLimit') ?? -1,
    byteHardLimit: found.get('byteHardLimit') ?? -1,
  };
}

export type QuotaVerdict =
  | { readonly kind: 'within' }
  | { readonly kind: 'softExceeded' | 'hardExceeded'; readonly message: string };

const WITHIN: QuotaVerdict = { kind: 'within' };

/** What the nearest quota on or above `path` says to adding that many bytes and znodes there. */
export function judgeQuota(
  tree: Tree,
  path: string,
  bytesDifference: number,
  countDifference: number,
): QuotaVerdict {
  const rootPath = tree.quotaPathOf(path);
  if (rootPath === null) return WITHIN;
  const limits = quotaAt(tree, rootPath, 'zookeeper_limits');
  const used = quotaAt(tree, rootPath, 'zookeeper_stats');
  if (limits === null || used === null) return WITHIN;
  const count =
    countDifference === 0
      ? WITHIN
      : exceeded(
          rootPath,
          'count',
          used.count + countDifference,
          limits.count,
          limits.countHardLimit,
        );
  if (count.kind === 'hardExceeded') return count;
  const bytes =
    bytesDifference === 0
      ? WITHIN
      : exceeded(
          rootPath,
          'bytes',
          used.bytes + bytesDifference,
          limits.bytes,
          limits.byteHardLimit,
        );
  return bytes.kind === 'within' ? count : bytes;
}

function exceeded(
  path: string,
  what: string,
  now: number,
  soft: number,
  hard: number,
): QuotaVerdict {
  const isHard = hard > -1;
  const limit = isHard ? hard : soft;
  if (limit <= -1 || now <= limit) return WITHIN;
  const message = `quota of ${path} exceeded: ${what} would be ${now}, the ${isHard ? 'hard' : 'soft'} limit is ${limit}`;
  return { kind: isHard ? 'hardExceeded' : 'softExceeded', message };
}

function quotaAt(tree: Tree, rootPath: string, name: string): QuotaLimits | null {
  const below = rootPath === '/' ? '' : rootPath;
  const node = tree.findPath(`/zookeeper/quota${below}/${name}`);
  if (node === 0) return null;
  const data = tree.data(node);
  return parseQuota(data === null ? '' : decodeUtf8(data, 0, data.length));
}
