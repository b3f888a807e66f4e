/**
 * Which part of the targets one of many clients uses, so that a thousand clients of a thousand servers
 * do not hold a million connections. If everybody drew a few by lot, some servers would get several
 * times what others get. Instead the targets lie on a ring, each with a slice in proportion to its
 * weight, and the clients, its *peers*, each have an arc of it, one beside the other: as Finagle's
 * deterministic aperture does. A target gets from each peer in proportion to how much of its slice the
 * arc covers; as the arcs together cover the ring evenly, all targets get the same per weight.
 *
 * An arc is a whole number of peers' parts wide: wide enough for the wanted number of targets, and
 * every point of the ring lies under equally many arcs.
 */
import { hash32 } from './hash.js';

/** Where this client stands among its peers: `index` from 0 to `count` - 1. */
export interface PeerPosition {
  readonly index: number;
  readonly count: number;
}

/** What lies on the ring: a server, an instance. */
export interface RingMember {
  readonly id: string;
  readonly weight: number;
}

/** Overlaps thinner than this part of a slice are rounding. */
const THIN = 1e-9;

/** The order on the ring: by hash, so that neighbours in a rack are not neighbours here. */
export function ringOrder<T extends RingMember>(targets: readonly T[]): T[] {
  const places = new Map(targets.map((target) => [target, hash32(target.id)]));
  return [...targets].sort((a, b) => {
    const difference = (places.get(a) ?? 0) - (places.get(b) ?? 0);
    return difference !== 0 ? difference : a.id < b.id ? -1 : 1;
  });
}

export interface Arc {
  /** Both in parts of the ring. */
  readonly offset: number;
  readonly width: number;
  /** By how much an arc may grow: the part of one peer. */
  readonly unit: number;
}

/** The arc that holds about `wanted` of `count` targets; by lot (`draw` in [0, 1)) without peers. */
export function arcOf(
  position: PeerPosition | null,
  count: number,
  wanted: number,
  draw: number,
): Arc {
  const unit = position === null ? 1 / Math.max(1, count) : 1 / position.count;
  const offset = position === null ? draw : position.index * unit;
  // 1e-9: 2 of 6 among 3 peers is one part, whatever the fractions say
  const units = Math.max(1, Math.ceil(wanted / Math.max(1, count) / unit - 1e-9));
  return { offset, width: Math.min(1, units * unit), unit };
}

export function wider(arc: Arc): Arc {
  return { ...arc, width: Math.min(1, arc.width + arc.unit) };
}

/**
 * How much of each target's weight the arc covers, in the order of `ring`: the whole weight where its
 * slice lies within the arc, 0 where it lies outside.
 */
export function sharesUnder(ring: readonly RingMember[], arc: Arc): Float64Array {
  const shares = new Float64Array(ring.length);
  const total = ring.reduce((sum, { weight }) => sum + weight, 0);
  let before = 0;
  for (const [index, { weight }] of ring.entries()) {
    const begin = before / total;
    before += weight;
    const end = before / total;
    // the arc may run over the end of the ring: then its rest lies at the beginning
    const covered =
      overlap(begin, end, arc.offset, arc.offset + arc.width) +
      overlap(begin, end, arc.offset - 1, arc.offset - 1 + arc.width);
    const part = covered / (end - begin);
    shares[index] = part > THIN ? Math.min(1, part) * weight : 0;
  }
  return shares;
}

function overlap(begin: number, end: number, from: number, to: number): number {
  return Math.max(0, Math.min(end, to) - Math.max(begin, from));
}
