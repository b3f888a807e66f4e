/**
 * What a watcher is told, and the numbers that say which watches are meant when they are added,
 * checked or removed.
 */
export const EventType = {
  none: -1,
  nodeCreated: 1,
  nodeDeleted: 2,
  nodeDataChanged: 3,
  nodeChildrenChanged: 4,
  dataWatchRemoved: 5,
  childWatchRemoved: 6,
  persistentWatchRemoved: 7,
} as const;

export type EventTypeValue = (typeof EventType)[keyof typeof EventType];

/** The state of the client's connection; servers only ever send syncConnected. */
export const KeeperState = {
  unknown: -1,
  disconnected: 0,
  noSyncConnected: 1,
  syncConnected: 3,
  authFailed: 4,
  connectedReadOnly: 5,
  saslAuthenticated: 6,
  closed: 7,
  expired: -112,
} as const;

export type KeeperStateValue = (typeof KeeperState)[keyof typeof KeeperState];

/** Which watches checkWatches and removeWatches mean; the last two are new in 3.9. */
export const WatcherType = {
  children: 1,
  data: 2,
  any: 3,
  persistent: 4,
  persistentRecursive: 5,
} as const;

export type WatcherTypeValue = (typeof WatcherType)[keyof typeof WatcherType];

export const AddWatchMode = { persistent: 0, persistentRecursive: 1 } as const;

export type AddWatchModeValue = (typeof AddWatchMode)[keyof typeof AddWatchMode];

export function isWatcherType(type: number): type is WatcherTypeValue {
  return Number.isInteger(type) && type >= 1 && type <= 5;
}

export function isAddWatchMode(mode: number): mode is AddWatchModeValue {
  return mode === AddWatchMode.persistent || mode === AddWatchMode.persistentRecursive;
}
