/** The numbers of watches and their events, and a short form of an event for comparisons. */
import type { WatchEvent } from '../../support/raw-client.js';

export const eventType = { created: 1, deleted: 2, dataChanged: 3, childrenChanged: 4 } as const;
export const addWatchMode = { persistent: 0, recursive: 1 } as const;
export const watcherType = {
  children: 1,
  data: 2,
  any: 3,
  persistent: 4,
  recursive: 5,
} as const;

/** `created /path`: type by name, and the path. */
export function shown(event: WatchEvent): string {
  for (const [name, type] of Object.entries(eventType)) {
    if (type === event.type) return `${name} ${event.path}`;
  }
  return `type ${event.type} ${event.path}`;
}
