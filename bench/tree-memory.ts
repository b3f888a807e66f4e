/**
 * What a znode costs: applies a million creates of 100 bytes each to a tree, as a server would, and
 * prints the memory per znode, the time per operation and the longest single step.
 *
 *   npm run build && node --expose-gc build/bench/tree-memory.js [znodes]
 */
import type { TreeOptions } from '../src/tree/tree.js';

// not part of the package's surface, so by its place in the build
const { Tree } = (await import(
  new URL('../../dist/tree/tree.js', import.meta.url).href
)) as typeof import('../src/tree/tree.js');

const PARENTS = 100;
const DATA_BYTES = 100;
const HEADER_BYTES = 32;
const ACL = [1, 31, 'world', 'anyone'] as const;

const znodes = Number(process.argv[2] ?? 1_000_000);
const encoder = new TextEncoder();

/** A transaction's bytes, written into again and again. */
const bytes = Buffer.alloc(1024);
let zxid = 0;

function header(type: number): number {
  let at = bytes.writeBigInt64BE(0x1000_0000_0000_0001n, 0);
  at = bytes.writeInt32BE(1, at);
  at = bytes.writeBigInt64BE(BigInt(++zxid), at);
  at = bytes.writeBigInt64BE(1_700_000_000_000n + BigInt(zxid), at);
  return bytes.writeInt32BE(type, at);
}

function string(text: string, at: number): number {
  const { written } = encoder.encodeInto(text, bytes.subarray(at + 4));
  bytes.writeInt32BE(written, at);
  return at + 4 + written;
}

function createTxn(path: string, parentCVersion: number): number {
  let at = string(path, header(1));
  at = bytes.writeInt32BE(DATA_BYTES, at);
  at += bytes.fill(zxid & 0xff, at, at + DATA_BYTES).length * 0 + DATA_BYTES;
  at = bytes.writeInt32BE(ACL[0], at);
  at = bytes.writeInt32BE(ACL[1], at);
  at = string(ACL[3], string(ACL[2], at));
  at = bytes.writeUInt8(0, at);
  return bytes.writeInt32BE(parentCVersion, at);
}

function setDataTxn(path: string): number {
  let at = string(path, header(5));
  at = bytes.writeInt32BE(DATA_BYTES, at) + DATA_BYTES;
  return bytes.writeInt32BE(1, at);
}

function deleteTxn(path: string): number {
  return string(path, header(2));
}

interface Phase {
  readonly perOpNs: number;
  readonly worstMs: number;
}

/** Applies what `encode` writes, `count` times; only the applying is on the clock. */
function timed(count: number, run: (end: number) => void, encode: (i: number) => number): Phase {
  let totalNs = 0;
  let worstNs = 0;
  for (let i = 0; i < count; i++) {
    const end = encode(i);
    const before = process.hrtime();
    run(end);
    const [seconds, nanoseconds] = process.hrtime(before);
    const ns = seconds * 1e9 + nanoseconds;
    totalNs += ns;
    if (ns > worstNs) worstNs = ns;
  }
  return { perOpNs: totalNs / count, worstMs: worstNs / 1e6 };
}

function report(name: string, phase: Phase): void {
  const worst = phase.worstMs.toFixed(2);
  console.log(
    `${name.padEnd(10)} ${phase.perOpNs.toFixed(0).padStart(6)} ns/op  worst ${worst} ms`,
  );
}

function rss(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

const pathOf = (i: number): string =>
  `/p${String(i % PARENTS).padStart(2, '0')}/n${String(i).padStart(10, '0')}`;

const options: TreeOptions = {};
// what runs first is compiled while it runs: on a tree of its own
const warm = new Tree(options);
for (let i = 0; i < PARENTS; i++) warm.apply(bytes, 0, createTxn(pathOf(i).slice(0, 4), i + 1));
for (let i = 0; i < 20_000; i++) warm.apply(bytes, 0, createTxn(pathOf(i), 1 + i));

const tree = new Tree(options);
const applied = (end: number): void => {
  if (tree.apply(bytes, 0, end) !== 0) throw new Error('a transaction failed');
};
for (let i = 0; i < PARENTS; i++) applied(createTxn(pathOf(i).slice(0, 4), i + 1));

const before = rss();
const create = timed(znodes, applied, (i) => createTxn(pathOf(i), 1 + Math.floor(i / PARENTS)));
const grown = rss() - before;
console.log(
  `${znodes} znodes of ${DATA_BYTES} bytes: ${(grown / znodes).toFixed(1)} bytes RSS each`,
);
report('create', create);
report(
  'setData',
  timed(znodes / 2, applied, (i) => setDataTxn(pathOf(i))),
);

const out = new Uint8Array(68);
const found = (end: number): void => tree.statInto(tree.find(bytes, HEADER_BYTES + 4, end), out, 0);
report(
  'find+stat',
  timed(znodes / 2, found, (i) => deleteTxn(pathOf(i))),
);
report(
  'delete',
  timed(znodes, applied, (i) => deleteTxn(pathOf(i))),
);
