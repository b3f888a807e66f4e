/**
 * The operations as metrics name them, which is as Envoy's ZooKeeper filter does, so that dashboards and
 * alerts made for that one read these figures. Each has a small number, so that what is counted on the
 * hot path lies in arrays.
 */
import { OpCode, type OpName } from '../../protocol/opcodes.js';

const names: readonly (readonly [op: number, name: string])[] = [
  [OpCode.createSession, 'connect'],
  [OpCode.ping, 'ping'],
  [OpCode.auth, 'auth'],
  [OpCode.getData, 'getdata'],
  [OpCode.create, 'create'],
  [OpCode.create2, 'create2'],
  [OpCode.createContainer, 'createcontainer'],
  [OpCode.createTTL, 'createttl'],
  [OpCode.setData, 'setdata'],
  [OpCode.getChildren, 'getchildren'],
  [OpCode.getChildren2, 'getchildren2'],
  [OpCode.delete, 'delete'],
  [OpCode.exists, 'exists'],
  [OpCode.getACL, 'getacl'],
  [OpCode.setACL, 'setacl'],
  [OpCode.sync, 'sync'],
  [OpCode.check, 'check'],
  [OpCode.multi, 'multi'],
  [OpCode.reconfig, 'reconfig'],
  [OpCode.setWatches, 'setwatches'],
  [OpCode.setWatches2, 'setwatches2'],
  [OpCode.addWatch, 'addwatch'],
  [OpCode.checkWatches, 'checkwatches'],
  [OpCode.removeWatches, 'removewatches'],
  [OpCode.getEphemerals, 'getephemerals'],
  [OpCode.getAllChildrenNumber, 'getallchildrennumber'],
  [OpCode.closeSession, 'close'],
  // that filter does not know these
  [OpCode.multiRead, 'multiread'],
  [OpCode.whoAmI, 'whoami'],
  [OpCode.sasl, 'sasl'],
];

export const metricNames: readonly string[] = [...names.map(([, name]) => name), 'unknown'];

export const UNKNOWN_OP = names.length;
export const CONNECT_OP = 0;

/** Shifted, so that the two that are negative have a place. */
const SHIFT = 16;
const indices = new Uint8Array(SHIFT + 128).fill(UNKNOWN_OP);
for (const [index, [op]] of names.entries()) indices[op + SHIFT] = index;

/** In `metricNames`; whatever is no operation of a client is `unknown`. */
export function metricIndexOf(op: number): number {
  return indices[op + SHIFT] ?? UNKNOWN_OP;
}

export function metricNameOf(op: number): string {
  return metricNames[metricIndexOf(op)] ?? 'unknown';
}

const codes: ReadonlyMap<string, number> = new Map([
  ...Object.keys(OpCode).map((name): [string, number] => [
    name.toLowerCase(),
    OpCode[name as OpName],
  ]),
  ...names.map(([op, name]): [string, number] => [name, op]),
]);

/** `getData`, `getdata`, `closeSession`, `close`; undefined: there is no such operation. */
export function opOfName(name: string): number | undefined {
  return codes.get(name.toLowerCase());
}
