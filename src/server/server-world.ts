/**
 * All that a server knows of what is outside it: the ports, and the few answers that only the process
 * can give. Production and the simulator each make one, and nothing else of theirs reaches a server.
 */
import type { Clock } from '../ports/clock.js';
import type { Crypto } from '../ports/crypto.js';
import type { Compression, Disk } from '../ports/disk.js';
import type { Logger } from '../ports/logger.js';
import type { Network } from '../ports/network.js';
import type { Election, ElectionOptions } from '../zab/election.js';
import type { ConfigStore } from './ensemble/membership.js';

export interface ServerWorld {
  readonly clock: Clock;
  readonly network: Network;
  /** Where clients come in, where it is another one: it takes TLS, too. */
  readonly clientNetwork?: Network;
  /** Where clients come by TLS alone; absent: there is no such way. */
  readonly secureNetwork?: Network;
  readonly disk: Disk;
  readonly compression: Compression;
  readonly crypto: Crypto;
  readonly logger: Logger;
  /** In [0, 1): only spreads snapshots in time. */
  fraction(): number;
  /** Of the process and its machine, as `envi` shows them. */
  environment(): Iterable<readonly [name: string, value: string]>;
  /** Null where the system does not tell. */
  fileDescriptors(): { readonly open: number; readonly max: number } | null;
  /** Where an ensemble's configurations outlive the process; absent: nowhere. */
  readonly configStore?: ConfigStore | null;
  /** Absent: as `zab/` does it. A simulated peer of another make brings its own. */
  readonly makeElection?: (options: ElectionOptions) => Election;
  /** The disk failed under the log: nothing may be acknowledged any more. Does not return. */
  onFatal(error: Error): never;
}
