import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('times as Java prints them', () => {
  const module = new URL('./java-time-text.js', import.meta.url).href;
  const script = `import { javaTimeText as t } from '${module}';
    console.log(t.short(1795230739000)); console.log(t.long(1795230739000)); console.log(t.long(0));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'de_DE.UTF-8' },
  });
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    '11/21/26, 3:12:19 AM UTC',
    'Sat Nov 21 03:12:19 UTC 2026',
    'Thu Jan 01 00:00:00 UTC 1970',
  ]);
});
