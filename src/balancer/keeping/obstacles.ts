/** Why a session cannot go from one server to another without its client noticing. */
import type { KeepingSettings, MaskMode, ClientOrigin } from './keeping-types.js';
import type { Credentials } from './credentials.js';
import type { Picture } from './picture.js';
import type { WatchLedger } from './watch-ledger.js';

/** What a session brings along. */
export interface Burden {
  readonly credentials: Credentials | null;
  readonly ledger: WatchLedger | null;
  /** The znodes that its lasting watches are about; null: they are not kept in mind. */
  readonly picture: Picture | null;
  readonly mask: MaskMode;
}

/** What the server that it would leave has shown to be. */
export interface Left {
  readonly isZabra: boolean;
  readonly isLocal: boolean;
}

/** Whatever the next server; null: nothing stands in the way. `left` null: it has no server. */
export function obstacleToLeaving(
  settings: KeepingSettings,
  origin: ClientOrigin,
  burden: Burden,
  isReadOnly: boolean,
  left: Left | null,
): string | null {
  const { credentials, ledger } = burden;
  if (settings.mask === 'off') return 'masking is off';
  if (origin.certificateSubject !== null) return 'it shows a certificate';
  if (credentials !== null && credentials.obstacle !== null) return credentials.obstacle;
  if (isReadOnly) return 'its server has no quorum';
  if (left === null) return null;
  if (left.isLocal) return 'it is a local session';
  if (left.isZabra) return null;
  if (settings.hasLocalSessions) return 'it may be a local session';
  return ledger === null ? null : obstacleToSetting(ledger, burden);
}

/** Why watches cannot be set at a server that does not tell what they missed. */
export function obstacleToSetting(
  watches: WatchLedger,
  { mask, picture }: Pick<Burden, 'mask' | 'picture'>,
): string | null {
  if (watches.hasLasting) {
    if (picture === null) return 'it holds persistent watches';
    if (picture.obstacle !== null) return picture.obstacle;
  }
  return watches.hasOneShot && mask === 'strict' ? 'it holds watches' : null;
}
