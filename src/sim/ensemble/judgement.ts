/** What is thought of a run of an ensemble at its end: by the one history that it had (../checker.ts). */
import { formatZxid } from '../../protocol/zxid.js';
import { configText } from '../../server/ensemble/config-text.js';
import { checkHistory, type CheckParts } from '../checker.js';
import type { Chronicle } from './chronicle.js';
import type { EnsembleParameters } from './parameters.js';

type Judged = Pick<CheckParts, 'history' | 'recoveries' | 'announced' | 'fail'> & {
  readonly parameters: EnsembleParameters;
  readonly chronicle: Chronicle;
  readonly hasLocalSessions: boolean;
  /** The configuration changed, or could have. */
  readonly isReconfigured: boolean;
};

export function judge(judged: Judged): void {
  const { parameters, chronicle, history, hasLocalSessions, isReconfigured, fail } = judged;
  const config = parameters.configs[0]!;
  const { floor } = history;
  if (floor > chronicle.durableZxid) {
    fail('S23', `${formatZxid(floor)} was shown, the history does not reach so far`);
  }
  checkHistory({
    history,
    txns: chronicle.txns,
    base: 0n,
    positionOf: (zxid) => chronicle.positionOf(zxid),
    mayLag: true,
    hasLocalSessions,
    isRelayed: parameters.balancers !== null,
    options: {
      skipAcl: config.skipAcl,
      extendedTypes: config.extendedTypesEnabled,
      configText: configText(config.ensemble),
      isReconfigured,
    },
    recoveries: judged.recoveries,
    announced: judged.announced,
    minTimeoutMs: config.minSessionTimeoutMs,
    maxTimeoutMs: config.maxSessionTimeoutMs,
    fail,
  });
}
