/** Watch events as zkCli prints them. */
import type { WatchEvent, WatchEventType } from '../../client/types.js';

const names: Readonly<Record<WatchEventType, string>> = {
  created: 'NodeCreated',
  deleted: 'NodeDeleted',
  changed: 'NodeDataChanged',
  children: 'NodeChildrenChanged',
  gap: 'None',
};

export function eventLines({ type, path, zxid = -1n }: WatchEvent): string {
  return watcherLines(`SyncConnected type:${names[type]} path:${path} zxid: ${zxid}`);
}

/** Of the connection: `Disconnected`, `Expired` and the like. */
export function stateLines(state: string): string {
  return watcherLines(`${state} type:None path:null zxid: -1`);
}

function watcherLines(what: string): string {
  return `\nWATCHER::\n\nWatchedEvent state:${what}`;
}
