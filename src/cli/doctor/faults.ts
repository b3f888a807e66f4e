/** Every fault the doctor knows, by name. */
import type { Fault } from './fault.js';
import { loadFaults } from './load-faults.js';
import { memberFaults } from './member-faults.js';
import { quorumFaults } from './quorum-faults.js';
import { settingFaults } from './setting-faults.js';

export const faults: readonly Fault[] = [
  ...quorumFaults,
  ...memberFaults,
  ...loadFaults,
  ...settingFaults,
];
