import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.js';
import { AgreedSubset, type AgreementView } from './agreed-subset.js';
import type { SubsetName } from './subset.js';
import { roundMs, SubsetScene, told } from './subsets.fixture.js';
import { dice } from './targets.fixture.js';

/** What a registry would do among balancers: one is elected, what it publishes reaches all others. */
class Council {
  readonly balancers: { scene: SubsetScene; agreed: AgreedSubset; isConnected: boolean }[] = [];
  published: readonly string[] | null = null;
  elected = 0;

  constructor(name: SubsetName, balancers: number, servers: number) {
    for (let i = 0; i < balancers; i++) {
      const random = dice(i + 1);
      const scene = new SubsetScene(name, servers, {}, random);
      this.balancers.push({
        scene,
        agreed: new AgreedSubset(scene.subset, random),
        isConnected: true,
      });
    }
  }

  view(index: number): AgreementView {
    const isConnected = this.balancers[index]!.isConnected;
    return { isConnected, isElected: index === this.elected, published: this.published };
  }

  look(index: number): string[] {
    const { scene, agreed } = this.balancers[index]!;
    const changes = agreed.look(scene.view, this.view(index));
    this.published = agreed.publication(this.view(index)) ?? this.published;
    return told(changes);
  }

  lookAll(): void {
    this.look(this.elected);
    for (const index of this.balancers.keys()) this.look(index);
  }

  advance(byMs: number): void {
    for (const { scene } of this.balancers) scene.nowMs += byMs;
    this.lookAll();
  }

  awake(index: number): string[] {
    return [...this.balancers[index]!.agreed.awake.keys()].sort();
  }

  fail(id: string, ...at: number[]): void {
    for (const index of at) this.balancers[index]!.scene.fit.delete(id);
    this.lookAll();
  }
}

test('one decides, all have the same awake', () => {
  const council = new Council('rw', 3, 6);
  const seen = new Set<string>();
  for (let i = 0; i < 40; i++) {
    council.advance(roundMs);
    const awake = council.awake(0);
    assert.deepEqual(council.awake(1), awake);
    assert.deepEqual(council.awake(2), awake);
    seen.add(awake.join());
  }
  assert.ok(seen.size > 10);
});

test('cut off, each keeps the last set, the elected one too', () => {
  const council = new Council('rw', 2, 6);
  council.advance(0);
  const before = council.awake(0);
  for (const one of council.balancers) one.isConnected = false;
  for (let i = 0; i < 20; i++) {
    council.advance(roundMs);
    assert.deepEqual(council.awake(0), before);
    assert.deepEqual(council.awake(1), before);
  }
  for (const one of council.balancers) one.isConnected = true;
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) {
    council.advance(roundMs);
    seen.add(council.awake(0).join());
    assert.deepEqual(council.awake(1), council.awake(0));
  }
  assert.ok(seen.size > 1);
});

test('another one that is elected goes on from the set that all have', () => {
  const council = new Council('rw-p', 3, 5);
  council.advance(0);
  council.balancers[0]!.scene.subset.onWrite(0);
  council.advance(1);
  assert.equal(council.awake(0).length, 3);
  const before = council.awake(0);
  council.elected = 2;
  council.advance(1);
  assert.deepEqual(council.awake(2), before);
  assert.deepEqual(council.published, before);
});

test('one that starts anew and is elected goes on from what was published', () => {
  const council = new Council('rw', 1, 6);
  council.published = ['s2', 's4'];
  council.advance(0);
  assert.deepEqual(council.awake(0), ['s2', 's4']);
});

test('who cannot reach what is agreed wakes another for itself, and gives it up later', () => {
  const council = new Council('rw', 2, 4);
  council.published = ['s1'];
  council.advance(0);
  assert.deepEqual(council.awake(1), ['s1']);
  council.fail('s1', 1);
  const [own] = council.awake(1);
  assert.ok(own !== undefined && own !== 's1');
  assert.deepEqual(council.awake(0), ['s1']);
  assert.deepEqual([...council.balancers[1]!.agreed.own], [own]);
  council.advance(10);
  assert.deepEqual(council.awake(1), [own]); // no new lot while it serves
  council.balancers[1]!.scene.fit.add('s1');
  assert.deepEqual(council.look(1), ['+s1 agreed', `-${own} agreed`]);
});

test('as long as nobody has published, each serves by itself', () => {
  const scene = new SubsetScene('rw', 3);
  const agreed = new AgreedSubset(scene.subset, dice(1));
  const nobody = { isConnected: true, isElected: false, published: null };
  agreed.look(scene.view, nobody);
  assert.equal(agreed.mode, 'alone');
  assert.ok(agreed.awake.size > 0);
  agreed.look(scene.view, { ...nobody, isConnected: false });
  assert.ok(agreed.awake.size > 0);
});

test('agreed or not, the least are awake at every balancer, in 1,000 seeds', () => {
  for (let seed = 0; seed < 1000; seed++) {
    const random = new SeededRandom(seed);
    const name = random.pick(['rw', 'rw-p', 'auto'] as const);
    const council = new Council(name, 3, random.between(2, 5));
    council.lookAll();
    for (let step = 0; step < 30; step++) {
      const one = council.balancers[random.below(3)]!;
      const id = random.pick([...one.scene.members]);
      if (random.chance(0.3)) one.scene.fit.delete(id);
      if (random.chance(0.5)) one.scene.fit.add(id);
      if (random.chance(0.2)) one.isConnected = !one.isConnected;
      if (random.chance(0.1)) council.elected = random.below(3);
      council.advance(random.below(8000));
      for (const [index, { scene, agreed }] of council.balancers.entries()) {
        const least = Math.min(scene.subset.least, scene.fit.size);
        assert.ok(agreed.awake.size >= least, `seed ${seed} step ${step} balancer ${index}`);
        for (const awake of agreed.awake.keys()) assert.ok(scene.fit.has(awake));
      }
    }
  }
});
