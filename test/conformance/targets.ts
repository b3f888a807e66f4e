/** The servers that the suite runs against. */
import { startOracle } from '../support/oracle.js';
import { startZabraEnsemble } from '../support/zabra-ensemble.js';
import { startZabra } from '../support/zabra-process.js';
import type { Target } from './suite.js';

export const targets: Readonly<Record<string, Target>> = {
  apache: {
    name: 'apache',
    isApache: true,
    release: [3, 9, 5],
    mode: 'standalone',
    sid: 1,
    start: async (options) => startOracle('3.9.5', options),
  },
  'apache-3.8.0': {
    name: 'apache-3.8.0',
    isApache: true,
    release: [3, 8, 0],
    mode: 'standalone',
    sid: 1,
    start: async (options) => startOracle('3.8.0', options),
  },
  standalone: {
    name: 'standalone',
    isApache: false,
    release: [3, 9, 5],
    mode: 'standalone',
    sid: 1,
    start: startZabra,
  },
  // through one server of three: writes are forwarded, or proposed to the others
  'ensemble-follower': {
    name: 'ensemble-follower',
    isApache: false,
    release: [3, 9, 5],
    mode: 'follower',
    sid: 1,
    start: async (options) => startZabraEnsemble('follower', options),
  },
  'ensemble-leader': {
    name: 'ensemble-leader',
    isApache: false,
    release: [3, 9, 5],
    mode: 'leader',
    sid: 3,
    start: async (options) => startZabraEnsemble('leader', options),
  },
  'ensemble-observer': {
    name: 'ensemble-observer',
    isApache: false,
    release: [3, 9, 5],
    mode: 'observer',
    sid: 1,
    start: async (options) => startZabraEnsemble('observer', options),
  },
};
