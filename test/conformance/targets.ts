/** The servers that the suite runs against. */
import { startOracle } from '../support/oracle.js';
import { startZabraEnsemble } from '../support/zabra-ensemble.js';
import { behindBalancer } from '../support/zabra-balancer.js';
import { startZabra } from '../support/zabra-process.js';
import { whyNotBehindBalancer } from './behind-a-balancer.js';
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
  // the balancer stays when the server behind it is killed
  balancer: {
    name: 'balancer',
    isApache: false,
    release: [3, 9, 5],
    mode: 'standalone',
    sid: 1,
    whyNot: whyNotBehindBalancer,
    start: async (options) => behindBalancer(await startZabra(options)),
  },
  'balancer-apache': {
    name: 'balancer-apache',
    isApache: true,
    release: [3, 9, 5],
    mode: 'standalone',
    sid: 1,
    whyNot: whyNotBehindBalancer,
    start: async (options) => behindBalancer(await startOracle('3.9.5', options)),
  },
};
