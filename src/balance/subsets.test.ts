import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { subsetNames } from './subset.js';
import { loaded, roundMs, SubsetScene, told } from './subsets.fixture.js';
import { dice } from './targets.fixture.js';

const SEEDS = 1000;
const HEADS = 0.2;
const TAILS = 0.8;

test('all wakes every healthy server, at the start and whenever one becomes healthy', () => {
  const scene = new SubsetScene('all', 3);
  scene.fit.delete('s1');
  assert.deepEqual(told(scene.look()), ['+s0 start', '+s2 start']);
  assert.deepEqual(told(scene.heal('s1')), ['+s1 healthy']);
});

test('all never puts one to sleep that is healthy, whatever happens', () => {
  const scene = new SubsetScene('all', 4);
  scene.look();
  scene.advance(3_600_000);
  assert.equal(scene.subset.sleep('s0', scene.nowMs), false);
  assert.deepEqual(told(scene.fail('s2')), ['-s2 unfit']);
  assert.deepEqual(scene.awake, ['s0', 's1', 's3']);
});

test('all has all awake at least', () => {
  for (let count = 0; count < 6; count++) {
    const scene = new SubsetScene('all', count);
    scene.look();
    assert.equal(scene.awake.length, count);
  }
});

test('deterministic wakes as the load of each grows over the band', () => {
  const scene = new SubsetScene('deterministic', 12);
  scene.position = { index: 0, count: 12 };
  scene.look();
  assert.equal(scene.awake.length, 2);
  for (let i = 0; i < 80; i++) {
    scene.pending = 5 * scene.awake.length;
    scene.advance(500);
  }
  assert.equal(scene.awake.length, 12);
  assert.ok(scene.story.some((change) => change.kind === 'wake' && change.reason === 'load'));
});

test('deterministic puts to sleep as the load falls, and two are awake at least', () => {
  const scene = new SubsetScene('deterministic', 12);
  scene.position = { index: 3, count: 12 };
  for (let i = 0; i < 80; i++) {
    scene.pending = 5 * scene.awake.length;
    scene.advance(500);
  }
  scene.pending = 0;
  scene.story.length = 0;
  scene.advance(60_000);
  assert.equal(scene.awake.length, 2);
  assert.ok(scene.story.every((change) => change.kind === 'sleep' && change.reason === 'load'));
});

test('deterministic: the position decides which; all balancers together use all alike', () => {
  const parts = new Map<string, number>();
  for (let index = 0; index < 6; index++) {
    const scene = new SubsetScene('deterministic', 9);
    scene.position = { index, count: 6 };
    scene.look();
    assert.ok(scene.awake.length < 9);
    for (const [id, part] of scene.subset.awake) parts.set(id, (parts.get(id) ?? 0) + part);
  }
  assert.equal(parts.size, 9);
  const loads = [...parts.values()];
  assert.ok(Math.max(...loads) - Math.min(...loads) < 1e-9);
});

test('deterministic: sick ones under the arc are made up for, down to the last healthy two', () => {
  const scene = new SubsetScene('deterministic', 8);
  scene.position = { index: 2, count: 8 };
  scene.look();
  for (let alive = 7; alive >= 0; alive--) {
    const [first] = scene.awake;
    scene.fail(first ?? 's0');
    assert.ok(scene.awake.length >= Math.min(2, scene.fit.size));
    assert.ok(scene.awake.every((id) => scene.fit.has(id)));
  }
});

test('rw draws at the start: each waiting server wakes with probability one half', () => {
  const scene = new SubsetScene('rw', 4, {}, loaded(HEADS, TAILS, TAILS, HEADS));
  assert.deepEqual(told(scene.look()), ['+s0 start', '+s3 start']);
});

test('rw draws again while none is awake', () => {
  const scene = new SubsetScene('rw', 2, {}, loaded(TAILS, TAILS, TAILS, TAILS, TAILS, HEADS));
  assert.deepEqual(told(scene.look()), ['+s1 start']);
});

test('rw draws at each round and not before: one half wakes, one half falls asleep', () => {
  const random = loaded(HEADS, HEADS, TAILS, TAILS, /* round */ HEADS, TAILS, HEADS, TAILS);
  const scene = new SubsetScene('rw', 4, {}, random);
  scene.look();
  assert.deepEqual(told(scene.advance(roundMs - 1)), []);
  assert.deepEqual(told(scene.advance(1)), ['-s1 round', '+s2 round']);
});

test('rw: over many rounds, each is awake for one half of them', () => {
  const scene = new SubsetScene('rw', 8, {}, dice(7));
  const awake = new Map<string, number>();
  const rounds = 4000;
  for (let i = 0; i < rounds; i++) {
    scene.advance(roundMs);
    for (const id of scene.awake) awake.set(id, (awake.get(id) ?? 0) + 1);
  }
  assert.equal(awake.size, 8);
  for (const count of awake.values()) assert.ok(Math.abs(count / rounds - 0.5) < 0.04);
});

test('rw draws when the set has become empty, at once', () => {
  const scene = new SubsetScene('rw', 3, {}, loaded(HEADS, TAILS, TAILS, /* empty */ TAILS, HEADS));
  assert.deepEqual(told(scene.look()), ['+s0 start']);
  scene.nowMs += 10;
  assert.deepEqual(told(scene.fail('s0')), ['-s0 unfit', '+s2 empty']);
});

test('rw: who becomes healthy waits for the round', () => {
  const scene = new SubsetScene('rw', 2, {}, loaded(HEADS));
  scene.fit.delete('s1');
  scene.look();
  assert.deepEqual(told(scene.heal('s1')), []);
  assert.deepEqual(told(scene.advance(roundMs)), ['+s1 round']);
});

test('rw: dice that never say yes do not stop the world', () => {
  const scene = new SubsetScene('rw', 3, {}, () => 0.999);
  scene.look();
  assert.equal(scene.awake.length, 1);
});

test('rw-p: a write wakes the next waiting server, at most one in each interval', () => {
  const scene = new SubsetScene('rw-p', 5);
  scene.look();
  assert.equal(scene.awake.length, 2);
  assert.equal(scene.write().length, 1);
  for (let i = 0; i < 99; i++) {
    scene.nowMs += 100;
    assert.deepEqual(scene.write(), []);
  }
  scene.nowMs += 100;
  const [change] = scene.write();
  assert.equal(change?.kind === 'wake' && change.reason, 'write');
  assert.equal(scene.awake.length, 4);
});

test('rw-p: without a write nobody is woken', () => {
  const scene = new SubsetScene('rw-p', 5);
  scene.look();
  assert.deepEqual(scene.advance(600_000), []);
});

test('rw-p: turns are equal', () => {
  const scene = new SubsetScene('rw-p', 5, { wakeIntervalMs: 1000, sleepAfterMs: 3000 });
  const turns = new Map<string, number>();
  const random = new SeededRandom(5);
  for (let i = 0; i < 2000; i++) {
    const changes = random.chance(0.3) ? scene.write() : scene.advance(random.below(4000));
    for (const change of changes) {
      if (change.kind === 'wake') turns.set(change.id, (turns.get(change.id) ?? 0) + 1);
    }
  }
  const counts = [...turns.values()];
  assert.equal(counts.length, 5);
  assert.ok(Math.min(...counts) > 20);
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
});

test('rw-p: without writes the longest awake falls asleep first, one by one, down to two', () => {
  const scene = new SubsetScene('rw-p', 4);
  scene.look();
  for (let i = 0; i < 2; i++) {
    scene.write();
    scene.advance(roundMs);
  }
  assert.equal(scene.awake.length, 4);
  const order = [...scene.subset.awake.keys()];
  scene.story.length = 0;
  scene.advance(20_000 - 1);
  assert.deepEqual(told(scene.story), []);
  scene.advance(1);
  assert.deepEqual(told(scene.story), [`-${order[0]} quiet`]);
  scene.advance(roundMs);
  assert.deepEqual(told(scene.story), [`-${order[0]} quiet`, `-${order[1]} quiet`]);
  scene.advance(3_600_000);
  assert.equal(scene.awake.length, 2);
});

test('rw-p: a write in between postpones falling asleep', () => {
  const scene = new SubsetScene('rw-p', 3);
  scene.look();
  scene.write();
  for (let i = 0; i < 20; i++) {
    scene.advance(29_000);
    scene.write();
  }
  assert.equal(scene.awake.length, 3);
});

test('rw-p: a gap is filled at once, whatever the interval says', () => {
  const scene = new SubsetScene('rw-p', 4);
  scene.look();
  scene.write();
  const [first, second] = scene.awake;
  const changes = scene.fail(first ?? '', second ?? '');
  assert.equal(scene.awake.length, 2);
  assert.equal(told(changes).filter((line) => line.endsWith(' least')).length, 1);
});

test('rw-p never rests on one server while two are healthy, in 1,000 seeds', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const random = new SeededRandom(seed);
    const scene = new SubsetScene('rw-p', random.between(2, 7), {}, () => random.fraction());
    scene.look();
    for (let step = 0; step < 60; step++) {
      disturb(scene, random);
      const { size } = scene.fit;
      assert.ok(scene.awake.length >= Math.min(2, size), `seed ${seed}, step ${step}`);
      assert.ok(
        scene.awake.every((id) => scene.fit.has(id)),
        `seed ${seed}, step ${step}`,
      );
    }
  }
});

test('rw and auto are never empty while one is healthy, in 1,000 seeds', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    for (const name of ['rw', 'auto'] as const) {
      const random = new SeededRandom(seed);
      const scene = new SubsetScene(name, random.between(1, 7), {}, () => random.fraction());
      scene.look();
      for (let step = 0; step < 60; step++) {
        disturb(scene, random);
        assert.equal(scene.awake.length > 0, scene.fit.size > 0, `${name} ${seed} ${step}`);
        assert.ok(
          scene.awake.every((id) => scene.fit.has(id)),
          `${name} ${seed} ${step}`,
        );
      }
    }
  }
});

test('draws are from the given random only: the same dice tell the same story', () => {
  for (const name of subsetNames) {
    for (let seed = 0; seed < 50; seed++) {
      const run = (): string => {
        const world = new SeededRandom(seed);
        const scene = new SubsetScene(name, 5, {}, dice(seed));
        scene.position = { index: 1, count: 3 };
        scene.look();
        for (let step = 0; step < 40; step++) disturb(scene, world);
        return told(scene.story).join();
      };
      assert.equal(run(), run());
    }
  }
});

test('auto is rw while all is calm', () => {
  const scene = new SubsetScene('auto', 3);
  scene.advance(300_000);
  assert.equal(scene.subset.rule, 'rw');
  assert.ok(scene.story.some((change) => change.kind === 'sleep' && change.reason === 'round'));
});

test('auto is rw-p after a failure, and rw again when it has been calm, and says why', () => {
  const scene = new SubsetScene('auto', 5);
  scene.look();
  scene.advance(5_000);
  assert.ok(told(scene.fail('s0')).includes('rw-p because a server failed 0 s ago'));
  assert.ok(scene.awake.length >= 2);
  scene.story.length = 0;
  scene.advance(59_999);
  assert.equal(scene.subset.rule, 'rw-p');
  scene.advance(1);
  assert.equal(scene.subset.rule, 'rw');
  assert.ok(told(scene.story).includes('rw because calm: no failure lately, 0.0 writes a second'));
});

test('auto: another rule goes on with those that are awake, as far as it may', () => {
  for (let seed = 0; seed < 40; seed++) {
    const scene = new SubsetScene('auto', 8, {}, dice(seed));
    scene.look();
    const before = scene.awake;
    scene.fail('s0');
    assert.equal(scene.subset.rule, 'rw-p');
    for (const id of before) assert.ok(id === 's0' || scene.awake.includes(id));
    assert.ok(scene.awake.length <= Math.max(2, before.length));
  }
});

test('auto is rw-p under a load of writes, and does not flap at the threshold', () => {
  const scene = new SubsetScene('auto', 5, { writesPerSecond: 20 });
  const writing = (perSecond: number, seconds: number): void => {
    for (let i = 0; i < seconds * perSecond; i++) {
      scene.write();
      scene.advance(1000 / perSecond);
    }
  };
  writing(10, 60);
  assert.equal(scene.subset.rule, 'rw');
  writing(50, 20);
  assert.equal(scene.subset.rule, 'rw-p');
  assert.ok(scene.story.some((it) => it.kind === 'rule' && /writes a second/.test(it.reason)));
  writing(15, 60);
  assert.equal(scene.subset.rule, 'rw-p');
  writing(5, 60);
  assert.equal(scene.subset.rule, 'rw');
  assert.equal(scene.story.filter(({ kind }) => kind === 'rule').length, 2);
});

test('auto uses all in panic, and goes on with rw-p when it is over', () => {
  const scene = new SubsetScene('auto', 5);
  scene.look();
  const changes = scene.fail('s0', 's1', 's2');
  assert.ok(told(changes).includes('all because panic: 2 of 5 servers are fit'));
  assert.deepEqual(scene.awake, ['s3', 's4']);
  scene.heal('s0', 's1');
  assert.equal(scene.subset.rule, 'rw-p');
});

test('auto: who drains or leaves has not failed', () => {
  const scene = new SubsetScene('auto', 4);
  scene.look();
  scene.members.delete('s1');
  scene.fail('s1');
  assert.equal(scene.subset.rule, 'rw');
});

test('the operator wakes and puts to sleep, down to the least', () => {
  for (const name of ['rw', 'rw-p', 'auto'] as const) {
    const scene = new SubsetScene(name, 4);
    scene.look();
    for (const id of ['s0', 's1', 's2', 's3']) scene.subset.wake(id, 0);
    assert.equal(scene.awake.length, 4, name);
    assert.equal(scene.subset.wake('s0', 0), false);
    for (const id of ['s0', 's1', 's2', 's3']) scene.subset.sleep(id, 0);
    assert.equal(scene.awake.length, scene.subset.least, name);
  }
});

/** Something happens: time, a write, a failure, a return, a server more or less. */
function disturb(scene: SubsetScene, random: SeededRandom): void {
  const ids = [...scene.members];
  switch (random.below(7)) {
    case 0:
      scene.fail(random.pick(ids));
      break;
    case 1:
    case 2:
      scene.heal(random.pick(ids));
      break;
    case 3:
      scene.write();
      break;
    case 4:
      scene.advance(random.below(40_000));
      break;
    case 5:
      scene.pending = random.below(30);
      scene.advance(random.below(2_000));
      break;
    default:
      scene.subset[random.chance(0.5) ? 'wake' : 'sleep'](random.pick(ids), scene.nowMs);
  }
}
