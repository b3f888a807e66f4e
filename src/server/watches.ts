/**
 * From changes of the tree to events on connections. Called while a transaction is applied, so an
 * event is in its connection's output before any reply that shows the change (W3), and in the order
 * of the transactions. Each watcher is asked at that moment whether it may read the znode
 * (CVE-2024-23944); for a deletion, by the ACL that the znode had.
 */
import { EventType } from '../protocol/events.js';
import { Perms } from '../protocol/perms.js';
import type { NodeId, Tree, TreeListener } from '../tree/tree.js';
import type { Acl, Caller } from '../txn/authorize.js';
import { ANY_MODE, WatchMode, WatchTable, type WatchModeBit } from '../watch/watch-table.js';
import type { ClientConnection } from './connection.js';
import type { Summary } from './metric.js';
import type { ServerMetrics } from './metrics.js';

interface Surroundings {
  readonly metrics: ServerMetrics;
  readonly tree: Tree;
  allows(acl: readonly Acl[], perms: number, caller: Caller): boolean;
  /** Zxid of the transaction being applied. */
  applyingZxid(): { readonly high: number; readonly low: number };
}

export class Watches implements TreeListener {
  readonly data = new WatchTable<ClientConnection>('data');
  readonly child = new WatchTable<ClientConnection>('child');
  readonly #around: Surroundings;
  #stamp = 0;
  #eventType = 0;
  #eventPath = '';
  #acl: readonly Acl[] = [];
  /** Watchers told of the change at hand. */
  #toldCount = 0;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  get size(): number {
    return this.data.size + this.child.size;
  }

  watchData(path: string, connection: ClientConnection): void {
    this.#add(this.data, path, connection, WatchMode.standard);
  }

  watchChildren(path: string, connection: ClientConnection): void {
    this.#add(this.child, path, connection, WatchMode.standard);
  }

  /** Persistent watches of both kinds; recursive ones live in the data table alone. */
  watchAlways(path: string, connection: ClientConnection, isRecursive: boolean): void {
    if (isRecursive) {
      this.#add(this.data, path, connection, WatchMode.persistentRecursive);
      return;
    }
    this.#add(this.data, path, connection, WatchMode.persistent);
    this.#add(this.child, path, connection, WatchMode.persistent);
  }

  forget(connection: ClientConnection): void {
    this.data.removeWatcher(connection);
    this.child.removeWatcher(connection);
  }

  /** Modes held by the connection on the path, in either table. */
  holdsAny(path: string, connection: ClientConnection): boolean {
    return (
      this.data.holds(path, connection, ANY_MODE) || this.child.holds(path, connection, ANY_MODE)
    );
  }

  onChange(kind: 'created' | 'deleted' | 'dataChanged', node: NodeId, parent: NodeId): void {
    if (this.data.size === 0 && this.child.size === 0) return;
    const { tree } = this.#around;
    const { metrics } = this.#around;
    switch (kind) {
      case 'created':
        this.#fireData(EventType.nodeCreated, node);
        this.#note(metrics.nodeCreatedWatchCount);
        this.#fireChild(parent);
        break;
      case 'dataChanged':
        this.#fireData(EventType.nodeDataChanged, node);
        this.#note(metrics.nodeChangedWatchCount);
        return;
      case 'deleted': {
        this.#fireData(EventType.nodeDeleted, node);
        // whoever watched both the node and its children hears of the deletion once
        if (this.child.mayFire(tree.hashOf(node))) {
          this.#prepare(EventType.nodeDeleted, node);
          this.child.fire(this.#eventPath, this.#stamp, this.#tell);
        }
        this.#note(metrics.nodeDeletedWatchCount);
        this.#fireChild(parent);
      }
    }
    this.#note(metrics.nodeChildrenWatchCount);
  }

  #note(summary: Summary): void {
    if (this.#toldCount === 0) return;
    summary.add(this.#toldCount);
    this.#toldCount = 0;
  }

  #fireData(type: number, node: NodeId): void {
    const { tree } = this.#around;
    this.#stamp++;
    const isWatched = this.data.mayFire(tree.hashOf(node));
    if (!isWatched && !this.data.hasRecursive) return;
    this.#prepare(type, node);
    if (isWatched) this.data.fire(this.#eventPath, this.#stamp, this.#tell);
    if (!this.data.hasRecursive) return;
    for (let above = tree.parentOf(node); above !== 0; above = tree.parentOf(above)) {
      if (!this.data.mayFire(tree.hashOf(above))) continue;
      this.data.fireRecursive(tree.pathOf(above), this.#stamp, this.#tell);
    }
  }

  #fireChild(parent: NodeId): void {
    const { tree } = this.#around;
    if (parent === 0 || !this.child.mayFire(tree.hashOf(parent))) return;
    this.#stamp++;
    this.#prepare(EventType.nodeChildrenChanged, parent);
    this.child.fire(this.#eventPath, this.#stamp, this.#tell);
  }

  #prepare(type: number, node: NodeId): void {
    const { tree } = this.#around;
    this.#eventType = type;
    this.#eventPath = tree.pathOf(node);
    this.#acl = tree.acls.get(tree.aclId(node));
  }

  readonly #tell = (connection: ClientConnection): void => {
    if (!this.#around.allows(this.#acl, Perms.read, connection.caller)) return;
    const { high, low } = this.#around.applyingZxid();
    this.#toldCount++;
    connection.sendEvent(this.#eventType, this.#eventPath, high, low);
  };

  #add(
    table: WatchTable<ClientConnection>,
    path: string,
    connection: ClientConnection,
    mode: WatchModeBit,
  ): void {
    if (connection.isClosed) return;
    table.add(path, connection, mode);
  }
}
