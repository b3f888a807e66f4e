import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reader } from '../reader.js';
import { Writer } from '../writer.js';
import { Capability, hasCapability, readExtension, writeExtension } from './extension.js';

function written(): Uint8Array {
  const out = new Writer(64);
  writeExtension(out, { capabilities: Capability.handOver | (1 << 30), priority: -7 });
  return out.bytes.slice(0, out.pos);
}

test('what is written is read, and a longer block of a later release as far as it is known', () => {
  const bytes = written();
  const expected = { capabilities: Capability.handOver | (1 << 30), priority: -7 };
  assert.deepEqual(readExtension(new Reader().reset(bytes, 0, bytes.length)), expected);
  const longer = new Uint8Array(bytes.length + 4);
  longer.set(bytes);
  longer[7] = 12;
  assert.deepEqual(readExtension(new Reader().reset(longer, 0, longer.length)), expected);
});

test('whatever else trails is no extension: nothing, less, other bytes, a length that lies', () => {
  const bytes = written();
  for (let end = 0; end < bytes.length; end++) {
    assert.equal(readExtension(new Reader().reset(bytes, 0, end)), null, `cut at ${end}`);
  }
  for (const [at, value] of [
    [0, 0],
    [4, 0x7f],
    [7, 4],
  ] as const) {
    const wrong = bytes.slice();
    wrong[at] = value;
    assert.equal(readExtension(new Reader().reset(wrong, 0, wrong.length)), null, `byte ${at}`);
  }
});

test('who sent no extension has no capability', () => {
  assert.equal(hasCapability(null, Capability.handOver), false);
  assert.equal(hasCapability({ capabilities: 0, priority: 0 }, Capability.handOver), false);
  assert.equal(hasCapability({ capabilities: 3, priority: 0 }, Capability.handOver), true);
});
