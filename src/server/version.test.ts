import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fullVersion, packageVersion } from './version.js';

test('the version is that of the package', () => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  assert.equal(packageVersion, (JSON.parse(text) as { version: string }).version);
});

test('clients that compare numbers see Apache 3.9.5', () => {
  assert.match(fullVersion, /^3\.9\.5-zabra-[^,]+, built on \d{4}-\d\d-\d\d \d\d:\d\d UTC$/);
});
