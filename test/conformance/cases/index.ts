/** Every group of the suite, in the order of a run. */
import type { Group } from '../suite.js';
import { aclCases, skipAclCases } from './acl.js';
import { adminCases } from './admin.js';
import { badInputCases } from './bad-input.js';
import { collectedCases } from './collected.js';
import { createCases, createWithoutTtl } from './create.js';
import { fourLetterCases, ownWhitelistCases, whitelistCases } from './four-letter.js';
import {
  bufferCases,
  connectionLimitCases,
  loadCases,
  outstandingCases,
  totalLimitCases,
} from './limits.js';
import { multiCases } from './multi.js';
import { nodeOpCases } from './node-ops.js';
import { persistenceCases, snapshotCases } from './persistence.js';
import { persistentWatchCases } from './persistent-watches.js';
import { enforcedQuotaCases, quotaCases } from './quotas.js';
import {
  connectionThrottleCases,
  digestAlgorithmCases,
  enforcedAuthCases,
  fatalTtlCases,
  largeRequestCases,
  requestThrottleCases,
} from './refusals.js';
import { sequenceCases } from './sequences.js';
import { configuredTimeouts, defaultTimeouts, sessionCases } from './sessions.js';
import { statCases } from './stat.js';
import { watchCases } from './watches.js';

export const groups: readonly Group[] = [
  createCases,
  nodeOpCases,
  sequenceCases,
  statCases,
  watchCases,
  persistentWatchCases,
  multiCases,
  sessionCases,
  badInputCases,
  aclCases,
  quotaCases,
  fourLetterCases,
  loadCases,
  createWithoutTtl,
  skipAclCases,
  enforcedQuotaCases,
  collectedCases,
  whitelistCases,
  ownWhitelistCases,
  bufferCases,
  connectionLimitCases,
  totalLimitCases,
  outstandingCases,
  connectionThrottleCases,
  requestThrottleCases,
  largeRequestCases,
  enforcedAuthCases,
  digestAlgorithmCases,
  adminCases,
  persistenceCases,
  snapshotCases,
  defaultTimeouts,
  configuredTimeouts,
  fatalTtlCases,
];
