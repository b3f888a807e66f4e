/** What all sessions of one keeper share. */
import type { Socket } from '../../ports/network.js';
import type { AttachGate } from './attach-gate.js';
import type { InFlightPool } from './in-flight.js';
import type { Backends, KeepingHooks, KeepingSettings } from './keeping-types.js';
import type { KeptSession } from './kept-session.js';
import type { PictureBudget } from './picture.js';
import type { WriterPool } from './outlet.js';
import type { RequestGate } from './request-share.js';
import type { BalancerWorld } from '../world.js';

export interface Keeping {
  readonly world: BalancerWorld;
  readonly settings: KeepingSettings;
  readonly backends: Backends;
  readonly hooks: KeepingHooks;
  readonly writers: WriterPool;
  readonly inFlights: InFlightPool;
  readonly gate: AttachGate;
  readonly pictures: PictureBudget;
  /** Null: any number of requests may be unanswered. */
  readonly requestGate: RequestGate | null;
  /** The session is proven to be this client's: whoever else has it here is late. */
  onNamed(session: KeptSession): void;
  /** Who has a session of this id here. */
  namesake(session: KeptSession): KeptSession | null;
  onClosed(session: KeptSession): void;
  /** It still has something to send to somebody who may not read. */
  linger(socket: Socket): void;
}
