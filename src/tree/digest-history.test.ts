import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DigestHistory } from './digest-history.js';

test('the digest after each 128th transaction is kept, until it is known to say nothing', () => {
  const history = new DigestHistory();
  for (let low = 100; low <= 300; low++) history.note(1, low, 0, low);
  assert.deepEqual(
    [...history.entries()],
    [128, 256].map((low) => ({ zxid: (1n << 32n) + BigInt(low), digest: BigInt(low) })),
  );
  history.clear();
  assert.deepEqual([...history.entries()], []);
  history.note(1, 384, -1, -1);
  assert.deepEqual([...history.entries()], [{ zxid: (1n << 32n) + 384n, digest: -1n }]);
});
