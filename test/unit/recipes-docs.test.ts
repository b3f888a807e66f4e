/** The examples of docs/recipes.md run as they are written. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from 'zabra/client';
import * as recipes from 'zabra/recipes';
import { TestServer } from 'zabra/testing';
import { repositoryRoot } from '../support/machine.js';

const text = readFileSync(join(repositoryRoot, 'docs', 'recipes.md'), 'utf8');
const examples = [...text.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code ?? '');
const silent = { log: () => undefined };

let server: TestServer;
let zk: Client;
let other: Client;

before(async () => {
  server = await TestServer.start({ settings: { extendedTypesEnabled: true } });
  zk = await new Client(server.connectString).connect();
  other = await new Client(server.connectString).connect();
});
after(async () => {
  await zk.close();
  await other.close();
  await server.stop();
});

const AsyncFunction = Object.getPrototypeOf(async () => {
  // of its class
}) as { constructor: new (...args: string[]) => (...args: unknown[]) => Promise<void> };

for (const code of examples) {
  const [, name = ''] = /new (\w+)\(zk/.exec(code) ?? [];
  test(`docs/recipes.md: ${name}`, async () => {
    const scope = { zk, other, assert, console: silent, ...recipes };
    const run = new AsyncFunction.constructor(...Object.keys(scope), code);
    await run(...Object.values(scope));
  });
}

test('every recipe has an example', () => {
  const isRecipe = (name: string): boolean =>
    text.includes(`| \`${name}\``) || /Lock$|Queue$|Node$|Cache$|Latch$|Barrier$/.test(name);
  const missing = Object.keys(recipes).filter(
    (name) => isRecipe(name) && !text.includes(`new ${name}(`),
  );
  assert.deepEqual(missing, []);
});
