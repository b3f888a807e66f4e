import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Session } from './session.js';

test('who comes by itself gets a generation greater than all before, and at least the floor', () => {
  const session = new Session(1n, 4000);
  session.learnGeneration(7n);
  assert.equal(session.attach(0n, 5n), true);
  assert.equal(session.generation, 8n, 'nothing was written since, and it is another client');
  assert.equal(session.attach(0n, 20n), true);
  assert.equal(session.generation, 20n);
});

test('who shows a generation has the session unless a later client came', () => {
  const session = new Session(1n, 4000);
  session.attach(0n, 5n);
  assert.equal(session.attach(5n, 9n), true);
  assert.equal(session.generation, 5n, 'going on makes no other client of it');
  session.attach(0n, 9n);
  assert.equal(session.attach(5n, 9n), false);
  assert.equal(session.attach(8n, 9n), false);
  assert.equal(session.generation, 9n);
  assert.equal(session.attach(9n, 9n), true);
});

test('one that is shown to whoever knows of none is believed, and counts from then on', () => {
  const session = new Session(1n, 4000);
  assert.equal(session.attach(12n, 3n), true);
  assert.equal(session.attach(11n, 3n), false);
});

test('what is learned never takes anything back', () => {
  const session = new Session(1n, 4000);
  session.learnGeneration(9n);
  session.learnGeneration(4n);
  assert.equal(session.generation, 9n);
});

test('of any two clients the one that came by itself later wins, in whatever order both go on', () => {
  const step = fc.oneof(
    fc.record({ does: fc.constant('comes' as const), wrote: fc.nat(3) }),
    fc.record({ does: fc.constant('goes on' as const), who: fc.nat(9) }),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const session = new Session(1n, 4000);
      const clients: bigint[] = [];
      let zxid = 1n;
      for (const one of steps) {
        if (one.does === 'comes') {
          zxid += BigInt(one.wrote);
          assert.equal(session.attach(0n, zxid), true);
          clients.push(session.generation);
        } else if (clients.length > 0) {
          const who = one.who % clients.length;
          const isLast = who === clients.length - 1;
          assert.equal(session.attach(clients[who] ?? 0n, zxid), isLast);
        }
      }
    }),
  );
});
