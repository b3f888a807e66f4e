import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '../ports/logger.js';
import { FixtureView } from '../server/commands/view.fixture.js';
import { startAdminServer } from './admin-http.js';
import type { AdminServer } from './admin-http.js';

const fixtures = new URL('../../test/fixtures/four-letter/busy/admin/', import.meta.url);

function captured(name: string): string {
  return readFileSync(new URL(name, fixtures), 'utf8');
}

async function serving(
  run: (url: string, view: FixtureView, server: AdminServer) => Promise<void>,
): Promise<void> {
  const view = new FixtureView('busy');
  view.config = { ...view.config, adminServerPort: 0, adminServerAddress: '127.0.0.1' };
  const server = await startAdminServer(view.config, () => view, silentLogger);
  assert.ok(server);
  try {
    await run(`http://127.0.0.1:${server.port}`, view, server);
  } finally {
    await server.stop();
  }
}

test('a command answers with status, type and JSON as Apache does', async () => {
  await serving(async (url) => {
    const response = await fetch(`${url}/commands/watch_summary`);
    const head = `${response.status} ${response.headers.get('content-type')}`;
    assert.equal(`${head}\n${await response.text()}`, captured('watch_summary.json'));
  });
});

test('the command URL lists all commands', async () => {
  await serving(async (url) => {
    for (const path of ['/commands', '/commands/']) {
      const text = await (await fetch(url + path)).text();
      assert.equal(`200 null\n${text}`, captured('index.html'));
    }
  });
});

test('parameters reach the command', async () => {
  await serving(async (url, view) => {
    await fetch(`${url}/commands/stmk?traceMask=5&traceMask=6`);
    assert.equal(view.traceMask, 5n);
  });
});

test('methods and places that do not exist', async () => {
  await serving(async (url) => {
    const statusOf = async (method: string, path: string): Promise<number> => {
      const response = await fetch(url + path, { method });
      await response.text();
      return response.status;
    };
    assert.equal(await statusOf('GET', '/'), 404);
    assert.equal(await statusOf('GET', '/commandsx'), 404);
    assert.equal(await statusOf('GET', '/commands/%'), 200);
    assert.equal(await statusOf('HEAD', '/commands/ruok'), 200);
    assert.equal(await statusOf('POST', '/commands/ruok'), 405);
    assert.equal(await statusOf('PUT', '/commands/ruok'), 405);
    assert.equal(await statusOf('OPTIONS', '/commands/ruok'), 200);
    assert.equal(await statusOf('GET', '/commands/snapshot'), 401);
  });
});

test('what is no HTTP is answered 400 and closed', async () => {
  await serving(async (_url, _view, server) => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write('srvr\r\n\r\n');
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    assert.match(text, /^HTTP\/1\.1 400/);
  });
});

test('an answer of many pieces arrives whole, and a client that goes away stops it', async () => {
  await serving(async (url, view) => {
    let given = 0;
    let count = 20_000;
    view.ephemerals = function* () {
      yield [
        1n,
        (function* (): Generator<string> {
          for (let i = 0; i < count; i++) {
            given++;
            yield `/some/path/that/is/not/short/${i}`;
          }
        })(),
      ] as const;
    };
    const whole = (await (await fetch(`${url}/commands/dump`)).json()) as Record<
      string,
      Record<string, string[]>
    >;
    assert.equal(whole['session_id_to_ephemeral_paths']?.['1']?.length, count);

    given = 0;
    count = 1_000_000;
    const gone = new AbortController();
    const response = await fetch(`${url}/commands/dump`, { signal: gone.signal });
    await response.body?.getReader().read();
    gone.abort();
    // what was given when the server noticed is all that is ever given
    let seen = -1;
    while (seen !== given) {
      seen = given;
      for (let turn = 0; turn < 20; turn++) await new Promise((done) => setImmediate(done));
    }
    assert.ok(given < count);
  });
});

test('a taken port is told, and no reason to fail', async () => {
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
  const view = new FixtureView('idle');
  const { port } = taken.address() as AddressInfo;
  view.config = { ...view.config, adminServerPort: port, adminServerAddress: '127.0.0.1' };
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  assert.equal(await startAdminServer(view.config, () => view, logger), null);
  assert.equal(warnings.length, 1);
  await new Promise((done) => taken.close(done));
});
