import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { FileConfigStore } from './config-store.js';

function directory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'zabra-config-store-'));
  context.after(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

const members = 'server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:participant;0.0.0.0:3';
const author = `tickTime=2000\nclientPort=3\n${members}\n`;

test('the files of a reconfiguration, from the author’s zoo.cfg to a restart', async (context) => {
  const path = directory(context);
  const file = join(path, 'zoo.cfg');
  writeFileSync(file, author);
  const store = new FileConfigStore(file, false);
  assert.deepEqual(await store.load(), { inForce: null, next: null });
  assert.equal(readFileSync(`${file}.bak`, 'latin1'), author);

  const text = `${members}\nversion=100000000`;
  await store.saveNext(text);
  assert.equal(readFileSync(`${file}.dynamic.next`, 'latin1'), text);
  const again = new FileConfigStore(file, true);
  assert.deepEqual(await again.load(), { inForce: null, next: text });

  await store.commit(text, 0x100000000n, true);
  const dynamicFile = `${file}.dynamic.100000000`;
  assert.equal(readFileSync(dynamicFile, 'latin1'), members);
  assert.equal(readFileSync(file, 'latin1'), `tickTime=2000\ndynamicConfigFile=${dynamicFile}\n`);
  assert.deepEqual(readdirSync(path).sort(), [
    'zoo.cfg',
    'zoo.cfg.bak',
    'zoo.cfg.dynamic.100000000',
  ]);
  assert.deepEqual(await again.load(), { inForce: null, next: null });
});

test('what was proposed and came to nothing is forgotten', async (context) => {
  const file = join(directory(context), 'zoo.cfg');
  writeFileSync(file, author);
  const store = new FileConfigStore(file, true);
  await store.saveNext('server.1=a:1:2\nversion=1');
  await store.saveNext(null);
  await store.saveNext(null);
  assert.deepEqual(await store.load(), { inForce: null, next: null });
});
