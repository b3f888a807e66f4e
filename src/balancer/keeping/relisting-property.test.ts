import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/random.js';
import { EventType } from '../../protocol/events.js';
import type { FakeServer } from './fake-server.fixture.js';
import type { Change } from './fake-tree.fixture.js';
import { parentOf } from './fake-watches.fixture.js';
import type { RawClient } from './raw-client.fixture.js';
import { Stage } from './stage.fixture.js';

const SEEDS = 60;
const ROUNDS = 8;
const NAMES = ['a', 'b', 'c'];
const DEPTH_MAX = 3;

/** A change that the tree allows; null: there is none of the kind that was drawn. */
function drawChange(stage: Stage, random: SeededRandom): Change | null {
  const { tree } = stage.ensemble;
  const names = Array.from({ length: 1 + random.below(DEPTH_MAX) }, () => random.pick(NAMES));
  const path = `/${names.join('/')}`;
  if (!tree.has(path)) {
    return tree.has(parentOf(path)) ? { kind: 'create', path, data: '' } : null;
  }
  if (random.chance(0.5)) return { kind: 'set', path, data: `${random.below(1000)}` };
  return tree.childrenOf(path).length === 0 ? { kind: 'delete', path } : null;
}

/** What a client that goes by events alone holds for the tree. */
class Mirror {
  readonly #client: RawClient;
  readonly #root: string;
  /** With the zxid of the last event that it was told of each. */
  readonly paths = new Map<string, bigint>();
  readonly faults: string[] = [];
  #read = 0;

  constructor(client: RawClient, root: string, paths: readonly [string, bigint][]) {
    this.#client = client;
    this.#root = root;
    for (const [path, zxid] of paths) this.paths.set(path, zxid);
  }

  read(): void {
    const { events } = this.#client;
    for (; this.#read < events.length; this.#read++) {
      const event = events[this.#read];
      if (event === undefined) return;
      const { type, path, zxid } = event;
      const isThere = this.paths.has(path);
      if (type === EventType.nodeDeleted) {
        if (!isThere) this.#fault(`${path} went and was not there`);
        for (const other of this.paths.keys()) {
          if (other.startsWith(`${path}/`)) this.#fault(`${path} went before ${other}`);
        }
        this.paths.delete(path);
        continue;
      }
      const isCreation = type === EventType.nodeCreated;
      if (isCreation === isThere) this.#fault(`${type} of ${path}, there: ${isThere}`);
      const isOrphan = path !== this.#root && !this.paths.has(parentOf(path));
      if (isCreation && isOrphan) this.#fault(`${path} came before its parent`);
      this.paths.set(path, zxid);
    }
  }

  #fault(text: string): void {
    this.faults.push(text);
  }
}

function pathsBelow(stage: Stage, root: string): [string, bigint][] {
  const { tree } = stage.ensemble;
  if (!tree.has(root)) return [];
  const prefix = root === '/' ? '/' : `${root}/`;
  const below = tree.childrenOf(root).flatMap((name) => pathsBelow(stage, `${prefix}${name}`));
  return [[root, tree.mzxidOf(root) ?? 0n], ...below];
}

async function caughtUp(stage: Stage): Promise<void> {
  const { servers, log } = stage.ensemble;
  const isBehind = ({ isAlive, applied }: FakeServer): boolean => isAlive && applied < log.length;
  await stage.until(() => !servers.some(isBehind));
}

async function run(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const stage = await Stage.start(2, { seed, settings: { relistPersistent: true } });
  const change = (): void => {
    const drawn = drawChange(stage, random);
    if (drawn !== null) stage.ensemble.change(drawn);
  };
  const later = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      change();
      await stage.pass(random.below(3));
    }
  };
  for (const server of stage.ensemble.servers) server.isApache = true;
  for (let i = 0; i < 20; i++) change();
  await caughtUp(stage);
  const client = await stage.openClient();
  client.keepPinging(500);
  const root = random.pick(['/', '/a', '/a/b']);
  const before = pathsBelow(stage, root);
  const xid = client.addWatch(root, true);
  await stage.until(() => client.replyTo(xid) !== null);
  const isSettled = (): boolean => {
    const { state, obstacle } = stage.session;
    return state === 'open' && obstacle === null;
  };
  const mirror = new Mirror(client, root, before);
  for (let round = 0; round < ROUNDS; round++) {
    await later(random.below(12));
    await stage.until(isSettled);
    const lost = stage.ensemble.servers.find(({ backend }) => backend === stage.session.backend);
    const next = await stage.ensemble.start(`n${round}`);
    next.isApache = true;
    stage.backends.list.push(next.backend);
    assert.ok(lost !== undefined);
    lost.isLagging = random.chance(0.7);
    await later(random.below(12));
    if (random.chance(0.3)) void stage.session.move('drain');
    await later(random.below(4));
    lost.kill();
    await later(random.below(12));
    assert.deepEqual(stage.dropped, [], `seed ${seed}`);
  }
  await caughtUp(stage);
  await stage.until(isSettled);
  await stage.pass(100);
  assert.deepEqual(stage.dropped, [], `seed ${seed}`);
  mirror.read();
  assert.deepEqual(mirror.faults, [], `seed ${seed}`);
  assert.deepEqual([...mirror.paths.keys()].sort(), pathsBelow(stage, root).map(first).sort());
  for (const [path, zxid] of pathsBelow(stage, root)) {
    assert.equal(mirror.paths.get(path), zxid, `seed ${seed}: the last change of ${path}`);
  }
}

function first([path]: readonly [string, bigint]): string {
  return path;
}

void test('who goes by events alone has the tree as it is, whatever is lost in between', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) await run(seed);
});
