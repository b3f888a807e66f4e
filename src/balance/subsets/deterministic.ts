/**
 * `deterministic`: this balancer's arc of the ring (aperture.ts), as wide as the load asks for
 * (load-band.ts) and never narrower than two servers. Where an arc ends within a server's slice, that
 * server is used by two balancers, each for a part of its weight: so all get the same.
 */
import { arcOf, ringOrder, sharesUnder, wider, type Arc } from '../aperture.js';
import { LoadBand } from '../load-band.js';
import type { Subset, SubsetChange, SubsetMember, SubsetOptions, SubsetView } from '../subset.js';

export class ApertureSubset implements Subset {
  readonly rule = 'deterministic';
  readonly least = 2;
  readonly #band: LoadBand;
  /** Where the arc begins as long as there is no position. */
  readonly #draw: number;
  #awake: ReadonlyMap<string, number> = new Map();
  #isStarted = false;

  constructor({ lowLoad, highLoad, smoothMs }: SubsetOptions, random: () => number) {
    this.#band = new LoadBand({ minAperture: this.least, lowLoad, highLoad, smoothMs });
    this.#draw = random();
  }

  get awake(): ReadonlyMap<string, number> {
    return this.#awake;
  }

  get nextMs(): number {
    return this.#band.nextMs;
  }

  look({ nowMs, members, fit, pending, position }: SubsetView): readonly SubsetChange[] {
    const ring = ringOrder(members.filter(({ weight }) => weight > 0));
    const isOther = this.#band.look(pending, this.#awake.size, ring.length, nowMs);
    const arc = arcOf(position, ring.length, this.#band.wanted, this.#draw);
    const awake = fitUnder(ring, arc, fit, this.least);
    const before = this.#awake;
    const changes: SubsetChange[] = [];
    for (const id of awake.keys()) {
      if (before.has(id)) continue;
      const reason = !this.#isStarted ? 'start' : isOther ? 'load' : 'least';
      changes.push({ kind: 'wake', id, reason });
    }
    for (const id of before.keys()) {
      if (awake.has(id)) continue;
      changes.push({ kind: 'sleep', id, reason: fit.has(id) ? 'load' : 'unfit' });
    }
    this.#awake = awake;
    this.#isStarted ||= awake.size > 0;
    return changes;
  }

  onWrite(): boolean {
    return false;
  }

  takeOver(awake: Iterable<string>): void {
    this.#awake = new Map([...awake].map((id) => [id, 1]));
    this.#isStarted = true;
  }

  wake(): boolean {
    return false;
  }

  sleep(): boolean {
    return false;
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
