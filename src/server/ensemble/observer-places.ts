/**
 * Where an observer goes for what is committed: to a follower that serves observers, where there are
 * such (`observerMasterPort`), and to the leader when none of them has answered for a while.
 */
import type { Members } from '../config/members.js';

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** Attempts at followers before the leader is asked; one takes about ten milliseconds. */
const ATTEMPTS = 60;

/** In the order in which they are tried. `fraction` in [0, 1) spreads observers over followers. */
export function observerPlaces(
  members: Members,
  leader: number,
  atLeader: readonly Place[],
  masterPort: number,
  fraction: number,
): readonly Place[] {
  const followers: Place[] = [];
  for (const { sid, role, addresses } of members.servers.values()) {
    const host = addresses[0]?.host;
    if (role === 'participant' && sid !== leader && host !== undefined) {
      followers.push({ host, port: masterPort });
    }
  }
  const { length } = followers;
  if (masterPort <= 0 || length === 0) return atLeader;
  const first = Math.floor(fraction * length);
  const places: Place[] = [];
  for (let i = 0; i < Math.max(ATTEMPTS, length); i++) {
    const place = followers[(first + i) % length];
    if (place !== undefined) places.push(place);
  }
  return [...places, ...atLeader];
}
