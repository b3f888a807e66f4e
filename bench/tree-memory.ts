/**
 * What a znode costs: applies a million creates of 100 bytes each to a tree, as a server would, and
 * prints the memory per znode, the time per operation and the longest single step. Transactions are
 * patched in place, so that what the measuring leaves behind does not count.
 *
 *   npm run build && node --expose-gc build/bench/tree-memory.js [znodes]
 */

// not part of the package's surface, so by its place in the build
const { Tree } = (await import(
  new URL('../../dist/tree/tree.js', import.meta.url).href
)) as typeof import('../src/tree/tree.js');

const PARENTS = 100;
const DATA_BYTES = 100;
const HEADER_BYTES = 32;
const NAME_DIGITS = 9;

const znodes = Number(process.argv[2] ?? 1_000_000);
let zxid = 0;

/** A transaction about `/pNN/nNNNNNNNNN` (or `/pNN`), to be patched and applied again and again. */
class Template {
  readonly bytes = Buffer.alloc(512);
  readonly length: number;
  readonly #type: number;

  constructor(type: number, path: string) {
    this.#type = type;
    const body = HEADER_BYTES + this.bytes.write(path, HEADER_BYTES + 4) + 4;
    this.bytes.writeInt32BE(path.length, HEADER_BYTES);
    this.bytes.writeBigInt64BE(0x1000_0000_0000_0001n, 0);
    this.bytes.writeBigInt64BE(1_700_000_000_000n, 20);
    this.bytes.writeInt32BE(type, 28);
    this.length = this.#writeBody(body);
  }

  /** The `child`th znode, and the cversion that its creation makes. */
  patch(child: number): void {
    this.bytes.writeUInt32BE(++zxid, 16);
    const digits = HEADER_BYTES + 4;
    this.#writeDigits(digits + 2, 2, child % PARENTS);
    if (this.bytes.readInt32BE(HEADER_BYTES) > 4) this.#writeDigits(digits + 6, NAME_DIGITS, child);
    if (this.#type !== 1) return;
    this.bytes.writeInt32BE(Math.floor(child / PARENTS) + 1, this.length - 4);
  }

  #writeBody(start: number): number {
    let at = start;
    if (this.#type === 2) return at;
    at = this.bytes.writeInt32BE(DATA_BYTES, at) + DATA_BYTES;
    if (this.#type === 5) return this.bytes.writeInt32BE(1, at);
    at = this.bytes.writeInt32BE(31, this.bytes.writeInt32BE(1, at));
    for (const text of ['world', 'anyone']) {
      at = this.bytes.writeInt32BE(text.length, at);
      at += this.bytes.write(text, at);
    }
    // ephemeral: no; then the cversion
    return at + 1 + 4;
  }

  #writeDigits(at: number, count: number, value: number): void {
    let rest = value;
    for (let i = count - 1; i >= 0; i--) {
      this.bytes[at + i] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }
}

const durations = new Float64Array(znodes).fill(1);

/** Runs `step` so many times; only it is on the clock, not the patching. */
function timed(name: string, count: number, template: Template, step: () => void): void {
  for (let i = 0; i < count; i++) {
    template.patch(i);
    const before = performance.now();
    step();
    durations[i] = performance.now() - before;
  }
  if (name === '') return;
  const sorted = durations.slice(0, count).sort();
  const mean = (1e6 * sorted.reduce((sum, ms) => sum + ms, 0)) / count;
  const rare = 1e3 * (sorted[Math.floor(0.9999 * count)] ?? 0);
  const worst = (sorted[count - 1] ?? 0).toFixed(2);
  console.log(
    `${name.padEnd(10)} ${mean.toFixed(0).padStart(5)} ns mean  ` +
      `${rare.toFixed(0).padStart(4)} us p99.99  ${worst} ms worst`,
  );
}

function rss(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

const path = `/p00/n${'0'.repeat(NAME_DIGITS)}`;
const parent = new Template(1, '/p00');
const create = new Template(1, path);
const setData = new Template(5, path);
const remove = new Template(2, path);

function grown(): { tree: InstanceType<typeof Tree>; applied: (template: Template) => () => void } {
  const tree = new Tree();
  const applied = (template: Template) => (): void => {
    const error = tree.apply(template.bytes, 0, template.length);
    if (error !== 0) throw new Error(`a transaction failed with ${error}`);
  };
  timed('', PARENTS, parent, applied(parent));
  return { tree, applied };
}

// what runs first is compiled while it runs: on a small tree of its own, which is kept
const warm = grown();
for (let round = 0; round < 20; round++) {
  timed('', 5000, create, warm.applied(create));
  timed('', 5000, remove, warm.applied(remove));
}

const { tree, applied } = grown();
const before = rss();
const arraysBefore = process.memoryUsage().arrayBuffers;
timed('create', znodes, create, applied(create));
const perNode = (rss() - before) / znodes;
const inArrays = (process.memoryUsage().arrayBuffers - arraysBefore) / znodes;
console.log(
  `${znodes} znodes of ${DATA_BYTES} bytes: ${perNode.toFixed(0)} bytes RSS each, ` +
    `${inArrays.toFixed(0)} of them in the tree's arrays`,
);
timed('setData', znodes, setData, applied(setData));
const out = new Uint8Array(68);
timed('find+stat', znodes, remove, () => {
  tree.statInto(tree.find(remove.bytes, HEADER_BYTES + 4, remove.length), out, 0);
});
timed('delete', znodes, remove, applied(remove));
