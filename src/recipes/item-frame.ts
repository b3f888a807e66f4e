/**
 * What Curator's queues put around items, so that one znode can hold several: a version (4 bytes), then
 * for each item the byte 1, its length (4 bytes) and its bytes; the byte 2 ends it.
 */
import { LayoutError } from './errors.js';

const version = 0x0001_0001;
const itemFollows = 1;
const end = 2;

export function frame(items: readonly Uint8Array[]): Uint8Array {
  const length = items.reduce((sum, item) => sum + 5 + item.length, 5);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, version);
  let at = 4;
  for (const item of items) {
    view.setUint8(at, itemFollows);
    view.setUint32(at + 1, item.length);
    bytes.set(item, at + 5);
    at += 5 + item.length;
  }
  view.setUint8(at, end);
  return bytes;
}

/** `path` is for the error. */
export function unframe(bytes: Buffer, path: string): Buffer[] {
  const items: Buffer[] = [];
  if (bytes.length < 5 || bytes.readUInt32BE(0) !== version) {
    throw new LayoutError(path, 'not in the frame of a queue');
  }
  let at = 4;
  while (bytes[at] === itemFollows && at + 5 <= bytes.length) {
    const next = at + 5 + bytes.readUInt32BE(at + 1);
    if (next >= bytes.length) break;
    items.push(bytes.subarray(at + 5, next));
    at = next;
  }
  if (bytes[at] !== end) throw new LayoutError(path, 'a frame that is broken off');
  return items;
}
