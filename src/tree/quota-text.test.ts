import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuotaText } from './quota-text.js';

const cases: readonly (readonly [text: string, written: string])[] = [
  ['', 'count=-1,bytes=-1'],
  ['count=4,bytes=5', 'count=4,bytes=5'],
  ['bytes=5', 'count=-1,bytes=5'],
  ['count=4,bytes=5=;countHardLimit=10', 'count=4,bytes=5=;countHardLimit=10'],
  [
    'countHardLimit=10;byteHardLimit=9;count=4,bytes=5',
    'count=4,bytes=5=;byteHardLimit=9;countHardLimit=10',
  ],
  ['zeta=1,Alpha=2,count=3', 'count=3,bytes=-1=;Alpha=2;zeta=1'],
  [',,;count=1', 'count=1,bytes=-1'],
  ['count==5', 'count=-1,bytes=-1'],
  ['count=+5,bytes=-7', 'count=5,bytes=-7'],
  ['count=9223372036854775807', 'count=9223372036854775807,bytes=-1'],
];

for (const [text, written] of cases) {
  test(`reads ${JSON.stringify(text)} as Apache does`, () => {
    assert.equal(new QuotaText(text).toString(), written);
  });
}

test('what is no number counts as not said', () => {
  for (const text of ['count', 'count=x', 'count=1e3', 'count=9223372036854775808', 'nonsense']) {
    assert.equal(new QuotaText(text).count, -1n, text);
  }
});

test('limits by name', () => {
  const text = new QuotaText('count=1,bytes=2=;byteHardLimit=3;countHardLimit=4');
  assert.deepEqual(
    [text.count, text.bytes, text.byteHardLimit, text.countHardLimit],
    [1n, 2n, 3n, 4n],
  );
  assert.equal(new QuotaText('').byteHardLimit, -1n);
});

test('sums wrap as longs do', () => {
  const text = new QuotaText('count=9223372036854775807');
  text.setCount(text.count + 1n);
  text.setBytes(-2n);
  assert.equal(text.toString(), 'count=-9223372036854775808,bytes=-2');
});
