import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { instanceDefaults } from '../discovery/instance.js';
import { FileInstanceStore } from './discovery-store.js';

test('a list is kept under its name, replaced as a whole, and refused when it is damaged', async () => {
  const home = mkdtempSync(join(tmpdir(), 'zabra-store-'));
  try {
    const directory = join(home, 'deep', 'er');
    const store = new FileInstanceStore(directory);
    const service = 'a/b c';
    assert.equal(await store.load(service), null);
    const list = [{ ...instanceDefaults, service, id: 'one', host: 'h', port: 80 }];
    await store.save(service, list);
    await store.save(service, [...list, { ...list[0]!, id: 'two' }]);
    const loaded = await new FileInstanceStore(directory).load(service);
    assert.deepEqual(
      loaded?.map(({ id }) => id),
      ['one', 'two'],
    );
    const [file, ...others] = readdirSync(directory);
    assert.deepEqual(others, []);
    for (const text of ['[{"id":1}]', '{}', '[', '']) {
      writeFileSync(join(directory, file!), text);
      await assert.rejects(store.load(service));
    }
  } finally {
    rmSync(home, { recursive: true });
  }
});
