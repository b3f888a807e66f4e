/** The rules of subset.ts by their names, as options and command lines give them. */
import { subsetDefaults, type Subset, type SubsetName, type SubsetOptions } from './subset.js';
import { AllAwake } from './subsets/all.js';
import { AutoSubset } from './subsets/auto.js';
import { ApertureSubset } from './subsets/deterministic.js';
import { RandomWake } from './subsets/random-wake.js';
import { WriteWake } from './subsets/write-wake.js';

/** `random`: uniform in [0, 1), and all the chance there is. */
export function createSubset(
  name: SubsetName,
  options: Partial<SubsetOptions>,
  random: () => number,
): Subset {
  const whole = { ...subsetDefaults, ...options };
  switch (name) {
    case 'all':
      return new AllAwake();
    case 'deterministic':
      return new ApertureSubset(whole, random);
    case 'rw':
      return new RandomWake(whole, random);
    case 'rw-p':
      return new WriteWake(whole, random);
    case 'auto':
      return new AutoSubset(whole, random);
  }
}
