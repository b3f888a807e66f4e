/** Every healthy server is used, and none ever sleeps. Nothing to decide, and nothing to save. */
import type { SubsetChange, SubsetView } from '../subset.js';
import { FollowingSubset } from './following.js';

export class AllAwake extends FollowingSubset {
  readonly rule = 'all';
  readonly least = Infinity;
  readonly nextMs = Infinity;

  look({ members, fit }: SubsetView): readonly SubsetChange[] {
    const awake = members.filter(({ id }) => fit.has(id)).map(({ id }) => [id, 1] as const);
    return this.follow(new Map(awake), 'healthy', () => 'unfit');
  }
}
