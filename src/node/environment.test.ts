import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { environment } from './environment.js';

test('names and order are those of Apache', () => {
  const file = new URL('../../test/fixtures/four-letter/idle/envi.txt', import.meta.url);
  const [, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  assert.deepEqual(
    environment().map(([name]) => name),
    lines.map((line) => line.slice(0, line.indexOf('='))),
  );
});
