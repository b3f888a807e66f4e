import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientClasses } from './classes.js';

test('a storm of attaches of one class leaves the other its turn', () => {
  const classes = new ClientClasses({ weights: { shop: 2, batch: 1 }, attachesMax: 3 });
  const story: string[] = [];
  const come = (name: string): void => {
    const waiter = { onAdmitted: () => void story.push(name) };
    if (classes.attaches.enter(name, waiter) === 'admitted') story.push(name);
  };
  for (let i = 0; i < 100; i++) come('batch');
  assert.deepEqual(story, ['batch', 'batch']); // one slot is the shop's
  come('shop');
  come('shop');
  come('shop');
  assert.deepEqual(story, ['batch', 'batch', 'shop']);
  classes.attaches.leave('batch');
  assert.equal(story.at(-1), 'shop');
  assert.equal(classes.attaches.status().get('batch')!.waiting, 98);
});

test('attaches and requests do not take from each other', () => {
  const { attaches, requests } = new ClientClasses({ attachesMax: 1, requestsMax: 100 });
  assert.ok(requests !== null);
  const waiter = { onAdmitted: () => undefined };
  assert.equal(attaches.enter('a', waiter), 'admitted');
  assert.equal(requests.enter('a', waiter, 40), 'admitted');
  assert.equal(requests.inUse, 40);
  requests.leave('a', 40);
  assert.equal(requests.inUse, 0);
});

test('who went away while it waited is not admitted', () => {
  const classes = new ClientClasses({ attachesMax: 1 });
  let admitted = 0;
  const waiter = { onAdmitted: () => (admitted += 1) };
  classes.attaches.enter('a', { onAdmitted: () => undefined });
  assert.equal(classes.attaches.enter('a', waiter), 'queued');
  classes.attaches.withdraw('a', waiter);
  classes.attaches.leave('a');
  assert.equal(admitted, 0);
  assert.equal(classes.attaches.inUse, 0);
});
