/**
 * Everything that preparing one request may look at or change, in one reused record: nothing is
 * allocated per request. Filled by the preparer, read by the operations.
 */
import type { Reader } from '../protocol/reader.js';
import type { Session } from '../session/session.js';
import type { Tree } from '../tree/tree.js';
import { NOBODY, isAllowed, type Acl, type AclSchemes, type Caller } from './authorize.js';
import type { Outstanding } from './outstanding.js';
import type { ReconfigPlanner } from './reconfig.js';

export interface PrepareOptions {
  readonly skipAcl: boolean;
  readonly enforceQuota: boolean;
  readonly extendedTypesEnabled: boolean;
  readonly emulate353Ttl: boolean;
  readonly digestEnabled: boolean;
  readonly closeSessionTxnEnabled: boolean;
  /** Absent: ACLs may name ids of digest and ip alone. */
  readonly schemes?: AclSchemes;
  /** Absent: reconfigurations are disabled. Null: enabled, and impossible on a standalone server. */
  readonly reconfig?: ReconfigPlanner | null;
  /** Told of quotas that are exceeded, softly or not; the caller limits how often it is said. */
  /** `refused`: what a hard limit keeps from being written; null: a soft one, and it is written. */
  readonly onQuotaExceeded: (message: string, refused: string | null) => void;
}

export class PrepareContext {
  readonly tree: Tree;
  readonly outstanding: Outstanding;
  readonly options: PrepareOptions;
  /** Positioned at the request's body. */
  readonly reader: Reader;
  session: Session | null = null;
  sessionHigh = 0;
  sessionLow = 0;
  caller: Caller = NOBODY;
  zxidHigh = 0;
  zxidLow = 0;
  timeHigh = 0;
  timeLow = 0;
  /** Out: the path that was created (with its sequence number) or changed. */
  resultPath = '';
  /** Out: the transaction type of a create. */
  resultType = 0;
  isInMulti = false;

  constructor(tree: Tree, outstanding: Outstanding, options: PrepareOptions, reader: Reader) {
    this.tree = tree;
    this.outstanding = outstanding;
    this.options = options;
    this.reader = reader;
  }

  allows(acl: readonly Acl[], perms: number): boolean {
    return this.options.skipAcl || isAllowed(acl, perms, this.caller);
  }

  /** The session must live: a request of a closing or unknown one changes nothing. */
  sessionEnded(): boolean {
    return this.session === null || this.session.isClosing;
  }
}
