/**
 * How far a client is from a server. Both carry a zone, a name as of a folder, the wide part first:
 * `eu/west/rack7`. Near is what has much in common.
 */

/** Farther than this is all the same. */
export const ZONE_DISTANCE_MAX = 3;

/** 0: within the client's zone, or nobody knows where the client is. */
export function zoneDistance(client: string, server: string | null): number {
  const own = partsOf(client);
  const theirs = partsOf(server ?? '');
  let common = 0;
  while (common < own.length && own[common] === theirs[common]) common++;
  return Math.min(ZONE_DISTANCE_MAX, own.length - common);
}

function partsOf(zone: string): string[] {
  return zone.split('/').filter((part) => part !== '');
}
