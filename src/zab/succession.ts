/** Who leads next, by the word of the leader before: what HANDOVER says. */
import type { ZxidPair } from './sync-choice.js';

export interface Succession {
  readonly leader: number;
  /** Of elections: those who ask several servers hear the same vote from each. */
  readonly round: bigint;
  /** The end of the history that is handed over. */
  readonly zxid: ZxidPair;
}
