import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { adminCommandNames, runAdminCommand } from './admin-commands.js';
import type { AdminRequest } from './admin-commands.js';
import { writeJson } from './json.js';
import { FixtureView } from './view.fixture.js';

const fixtures = new URL('../../../test/fixtures/four-letter/', import.meta.url);

function captured(name: string): { status: number; text: string } {
  const [head = '', ...rest] = readFileSync(new URL(name, fixtures), 'utf8').split('\n');
  return { status: parseInt(head, 10), text: rest.join('\n') };
}

const get: AdminRequest = { method: 'GET', params: new Map(), authorization: null };

function run(
  name: string,
  view: FixtureView,
  request: Partial<AdminRequest> = {},
): { status: number; text: string } {
  const { status, body } = runAdminCommand(name, { ...get, ...request }, view);
  return { status, text: [...writeJson(body)].join('') };
}

function masked(text: string): string {
  return text
    .replace(/3\.9\.5-[^,]+, built on [^"]*/g, '3.9.5-X, built on X')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:P')
    .replace(/"last_operation" : "\w+"/g, '"last_operation" : "OP"')
    .replace(/"\d+" :/g, '"ID" :')
    .replace(/-?\d+(\.\d+)?/g, (_number, decimals?: string) =>
      decimals === undefined ? 'N' : 'D',
    );
}

/** Answers of their own: what the machine is, and Java's properties. Two are in backup-commands.ts. */
const different = new Set(['environment', 'restore', 'snapshot', 'system_properties']);

for (const state of ['idle', 'busy'] as const) {
  for (const name of adminCommandNames) {
    if (different.has(name)) continue;
    test(`${name} is answered as Apache 3.9.5 does, ${state}`, () => {
      const view = new FixtureView(state);
      view.hasWordConnection = false;
      const ours = run(name, view);
      const theirs = captured(`${state}/admin/${name}.json`);
      assert.equal(masked(ours.text), masked(theirs.text));
      assert.equal(ours.status, theirs.status);
    });
  }
}

test('the list of commands is that of Apache', () => {
  const theirs = [...captured('idle/admin/index.html').text.matchAll(/>([a-z_]+)</g)];
  assert.deepEqual(
    adminCommandNames,
    theirs.map((match) => match[1]),
  );
});

test('aliases answer under the first name, unknown commands under their own', () => {
  const view = new FixtureView('idle');
  assert.match(run('mntr', view).text, /"command" : "monitor"/);
  assert.match(run('srvr', view).text, /"command" : "server_stats"/);
  assert.deepEqual(run('nosuchcommand', view), captured('idle/admin/nosuchcommand.json'));
  assert.deepEqual(
    run('nosuchcommand', view, { method: 'POST' }),
    captured('idle/admin/nosuchcommand.json'),
  );
});

test('set_trace_mask reads a long and says what is wrong with anything else', () => {
  const view = new FixtureView('idle');
  const set = (mask: string): { status: number; text: string } =>
    run('stmk', view, { params: new Map([['traceMask', mask]]) });
  assert.deepEqual(set('x'), captured('idle/admin/set_trace_mask.traceMask-x.json'));
  assert.deepEqual(set('306'), captured('idle/admin/set_trace_mask.traceMask-306.json'));
  assert.match(set('9223372036854775808').text, /requires long/);
  assert.match(set('-9223372036854775808').text, /"tracemask" : -9223372036854775808/);
  assert.equal(view.traceMask, -(2n ** 63n));
});

test('while not serving, only some are answered', () => {
  const view = new FixtureView('idle');
  view.isServing = false;
  assert.match(run('ruok', view).text, /not currently serving requests/);
  assert.match(run('env', view).text, /"error" : null/);
  assert.match(run('zabstate', view).text, /"error" : null/);
});

test('what is asked with POST must be asked with GET', () => {
  assert.equal(run('ruok', new FixtureView('idle'), { method: 'POST' }).status, 405);
});

test('secrets are not shown', () => {
  const view = new FixtureView('idle');
  view.config = {
    ...view.config,
    initialConfig:
      'dataDir=/d\nDigestAuthenticationProvider.superDigest = super:canary\n# ssl.keyStore.password=canary\nssl.x.password:ca\\\n  canary\nclientPort=1',
    properties: new Map([
      ['zookeeper.ssl.keyStore.password', 'canary'],
      ['zookeeper.snapCount', '5'],
    ]),
  };
  const initial = run('icfg', view).text;
  assert.doesNotMatch(initial, /canary/);
  assert.match(initial, /dataDir=\/d\\n.*superDigest = \*\*\*\\n.*clientPort=1/);
  const properties = run('sysp', view).text;
  assert.doesNotMatch(properties, /canary/);
  assert.match(properties, /"zookeeper.snapCount" : "5"/);
});

test('text is escaped for JSON', () => {
  const view = new FixtureView('idle');
  view.ephemerals = function* () {
    yield [1n, ['/a"b\\c\n']] as const;
  };
  const { text } = run('dump', view);
  const parsed = JSON.parse(text) as Record<string, Record<string, unknown>>;
  assert.deepEqual(parsed['session_id_to_ephemeral_paths'], { '1': ['/a"b\\c\n'] });
});
