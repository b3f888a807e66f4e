/** A balancer's configuration once it has been read and every default is in place. */
import type { Network } from '../ports/network.js';
import type { AccessLog } from './telling/access-log.js';
import type { BackendPoolOptions } from './pool/backend-options.js';
import type { ClientClassesOptions } from './guards/classes.js';
import type { KeepingSettings } from './keeping/keeping-types.js';
import type { GuardOptions } from './guards/limits.js';
import type { KnownAddressesOptions } from './pool/known-addresses.js';
import type { Membership } from './pool/membership.js';
import type { MetricsOptions } from './telling/metrics.js';
import type { RebalancingOptions } from './pool/rebalancing.js';
import type { BalancerWord } from './telling/words.js';

export interface ListenerSettings {
  /** Plain, encrypted, behind proxies: by whatever way clients come. */
  readonly network: Network;
  /** Undefined: every address of this machine. */
  readonly host: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  readonly isTls: boolean;
  /** Writes are refused. */
  readonly isReadOnly: boolean;
}

/** Who comes from there: where it is, and whose it is. */
export interface OriginRule {
  /** Addresses, or addresses with a number of bits. */
  readonly addresses: readonly string[];
  readonly zone?: string;
  readonly class?: string;
}

export interface BalancerSettings {
  /** As `srvr` and the status tell it. */
  readonly version: string;
  readonly listeners: readonly ListenerSettings[];
  readonly keeping: KeepingSettings;
  readonly pool: BackendPoolOptions;
  /** Which servers there are. */
  readonly membership: Membership;
  /** Of servers that are given by name. */
  readonly lookUps?: Partial<KnownAddressesOptions>;
  readonly rebalancing: Partial<RebalancingOptions>;
  readonly classes: Partial<ClientClassesOptions>;
  readonly guards: GuardOptions;
  readonly metrics: MetricsOptions;
  /** Where this balancer stands; clients of whom no rule says another zone are there, too. */
  readonly zone: string | null;
  /** The first that has a client's address counts. */
  readonly origins: readonly OriginRule[];
  /** Four-letter words that are answered. */
  readonly words: ReadonlySet<BalancerWord>;
  readonly accessLog: AccessLog | null;
  /** What `conf` tells: name=value. */
  readonly shown: readonly string[];
}
