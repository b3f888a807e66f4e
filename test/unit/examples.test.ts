import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const directory = join(import.meta.dirname, '..', '..', 'examples');
const files = [...readdirSync(directory).filter((file) => file.endsWith('.js')), 'shop/main.js'];

for (const name of files) {
  test(`examples/${name} runs`, () => {
    // a test runner within this one runs on its own
    const env = { ...process.env };
    delete env.NODE_TEST_CONTEXT;
    const { status, stderr } = spawnSync(process.execPath, [join(directory, name)], {
      encoding: 'utf8',
      timeout: 60_000,
      env,
    });
    assert.equal(status, 0, stderr);
  });
}
