/**
 * `deterministic`: this balancer's arc of the ring (aperture.ts), as wide as the load asks for
 * (load-band.ts) and never narrower than two servers. Where an arc ends within a server's slice, that
 * server is used by two balancers, each for a part of its weight: so all get the same.
 */
import { arcOf, ringOrder, sharesUnder, wider, type Arc } from '../aperture.js';
import { LoadBand } from '../load-band.js';
import type { SubsetChange, SubsetMember, SubsetOptions, SubsetView } from '../subset.js';
import { FollowingSubset } from './following.js';

export class ApertureSubset extends FollowingSubset {
  readonly rule = 'deterministic';
  readonly least = 2;
  readonly #band: LoadBand;
  /** Where the arc begins as long as there is no position. */
  readonly #draw: number;

  constructor({ lowLoad, highLoad, smoothMs }: SubsetOptions, random: () => number) {
    super();
    this.#band = new LoadBand({ minAperture: this.least, lowLoad, highLoad, smoothMs });
    this.#draw = random();
  }

  get nextMs(): number {
    return this.#band.nextMs;
  }

  look({ nowMs, members, fit, pending, position }: SubsetView): readonly SubsetChange[] {
    const ring = ringOrder(members.filter(({ weight }) => weight > 0));
    const isOther = this.#band.look(pending, this.awake.size, ring.length, nowMs);
    const arc = arcOf(position, ring.length, this.#band.wanted, this.#draw);
    const awake = fitUnder(ring, arc, fit, this.least);
    return this.follow(awake, isOther ? 'load' : 'least', (id) => (fit.has(id) ? 'load' : 'unfit'));
  }
}

/** The arc grows until enough of those under it are fit. */
function fitUnder(
  ring: readonly SubsetMember[],
  first: Arc,
  fit: ReadonlySet<string>,
  least: number,
): Map<string, number> {
  const wanted = Math.min(least, fit.size);
  for (let arc = first; ; arc = wider(arc)) {
    const shares = sharesUnder(ring, arc);
    const parts = new Map<string, number>();
    for (const [index, { id, weight }] of ring.entries()) {
      const share = shares[index] ?? 0;
      if (share > 0 && fit.has(id)) parts.set(id, share / weight);
    }
    if (parts.size >= wanted || arc.width >= 1) return parts;
  }
}
