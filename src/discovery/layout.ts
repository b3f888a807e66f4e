/** How instances lie in ZooKeeper: where, and how a znode of one reads. */
import type { ServiceInstance } from './instance.js';

export interface Layout {
  readonly name: string;
  /** The znode whose children are the instances of a service. */
  directoryOf(service: string): string;
  /** The names of the children say everything: their data need not be read. */
  readonly isInNames: boolean;
  /** Null: this child is no instance. Throws where it should be one and cannot be read. */
  read(service: string, child: string, data: Uint8Array): ServiceInstance | null;
  /** Not there: this layout is only read. */
  write?(instance: ServiceInstance): Uint8Array;
}

/** `/a/` + `b` and `/` + `b` alike. */
export function joinPath(base: string, name: string): string {
  return base.endsWith('/') ? `${base}${name}` : `${base}/${name}`;
}
