import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { NodeDisk } from '../../node/disk.js';
import { oracleAt } from './oracle.js';

test('the file is asked each time, and only a 1 at its beginning is a yes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'zabra-oracle-'));
  try {
    const path = join(directory, 'oracle');
    const ask = oracleAt(new NodeDisk(), path);
    assert.equal(ask(), false, 'no file');
    for (const [text, answer] of [
      ['1', true],
      ['0', false],
      ['1\n', true],
      ['', false],
      [' 1', false],
      ['true', false],
    ] as const) {
      writeFileSync(path, text);
      assert.equal(ask(), answer, JSON.stringify(text));
    }
    assert.equal(oracleAt(new NodeDisk(), directory)(), false, 'a directory');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
