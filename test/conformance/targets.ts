/** The servers that the suite runs against. */
import { startOracle } from '../support/oracle.js';
import { startZabra } from '../support/zabra-process.js';
import type { Target } from './suite.js';

export const targets: Readonly<Record<string, Target>> = {
  apache: {
    name: 'apache',
    isApache: true,
    release: [3, 9, 5],
    start: async (options) => startOracle('3.9.5', options),
  },
  'apache-3.8.0': {
    name: 'apache-3.8.0',
    isApache: true,
    release: [3, 8, 0],
    start: async (options) => startOracle('3.8.0', options),
  },
  standalone: {
    name: 'standalone',
    isApache: false,
    release: [3, 9, 5],
    start: startZabra,
  },
};
