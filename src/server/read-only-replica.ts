/**
 * The replica of a server that has lost its quorum: what is here can be read and watched, by clients
 * that said they can bear it to be old, in sessions that only this server knows. Everything that would
 * have to be agreed upon is answered NOTREADONLY.
 */
import { ErrorCode } from '../protocol/errors.js';
import type { PendingWrite } from './pending.js';
import { Replica } from './replica.js';
import type { Applier } from './applier.js';

export class ReadOnlyReplica extends Replica {
  readonly #tellsUnknown: boolean;

  /** `tellsUnknown`: a session that is neither here nor the ensemble's was another server's own. */
  constructor(applier: Applier, tellsUnknown: boolean) {
    super(applier);
    this.#tellsUnknown = tellsUnknown;
  }

  override get isReadOnly(): boolean {
    return true;
  }

  override get outstandingCount(): number {
    return 0;
  }

  override get mustSync(): boolean {
    return true;
  }

  override get ownsSessions(): boolean {
    return false;
  }

  override readonly mustRefuse = (session: bigint): boolean => {
    if (this.sessions.get(session) !== undefined) return true;
    return !this.#tellsUnknown && this.localSessions?.tracker.hasCreated(session) !== true;
  };

  override submit(pending: PendingWrite): boolean {
    pending.error = ErrorCode.notReadOnly;
    const { lastZxidHigh, lastZxidLow } = this.tree;
    pending.connection?.onApplied(pending, lastZxidHigh, lastZxidLow);
    return true;
  }

  override idle(): Promise<void> {
    return Promise.resolve();
  }
}
