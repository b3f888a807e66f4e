/** What guards know of one connection; from `Guards.admit` to `Guards.release`. */
import type { IdentityClaims } from './identity-claims.js';
import type { Tenant } from './tenant.js';
import type { WatchMeter } from './watch-meter.js';

export interface GuardedConnection {
  readonly address: string;
  readonly isReadOnly: boolean;
}

const nobody: readonly never[] = [];

export class Guarded implements GuardedConnection {
  readonly address: string;
  readonly isReadOnly: boolean;
  readonly byAddress: Tenant;
  /** Null: its class has no limits. */
  readonly byClass: Tenant | null;
  byIdentity: readonly Tenant[] = nobody;
  /** Null: there was none. */
  claims: IdentityClaims | null = null;
  /** Null: no limit is about watches. */
  meter: WatchMeter | null = null;
  /** How long the request at hand has been held up already. */
  waitedMs = 0;
  /** Nothing more is to be read from it before. */
  heldUntilMs = 0;

  constructor(address: string, isReadOnly: boolean, byAddress: Tenant, byClass: Tenant | null) {
    this.address = address;
    this.isReadOnly = isReadOnly;
    this.byAddress = byAddress;
    this.byClass = byClass;
  }

  *tenants(): Iterable<Tenant> {
    yield this.byAddress;
    if (this.byClass !== null) yield this.byClass;
    yield* this.byIdentity;
  }
}
