import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from './config.js';
import { loadConfig } from './load-config.js';
import type { ConfigFiles } from './load-config.js';

/** Files by path; null: a directory; an Error: cannot be read. */
function filesOf(content: Record<string, string | Error | null>): ConfigFiles {
  return {
    read(path) {
      const found = content[path];
      if (found === undefined || found === null) return null;
      if (found instanceof Error) throw found;
      return Uint8Array.from(found, (c) => c.charCodeAt(0));
    },
    kindOf: (path) =>
      content[path] === undefined ? 'absent' : content[path] === null ? 'directory' : 'other',
    isAbsolute: (path) => path.startsWith('/'),
    absolute: (path) => (path.startsWith('/') ? path : `/cwd/${path}`),
    join: (directory, name) => `${directory}/${name}`,
  };
}

function load(content: Record<string, string | Error | null>, env: Record<string, string> = {}) {
  const file = Object.keys(content).find((path) => path.endsWith('.cfg')) ?? null;
  return loadConfig({ file, env, properties: new Map() }, filesOf(content));
}

function problemsOf(content: Record<string, string | Error | null>): string[] {
  const result = load(content);
  return 'problems' in result ? result.problems.map(formatProblem) : [];
}

test('the myid file in dataDir is read, its first line counts', () => {
  const result = load({
    '/zoo.cfg': 'dataDir=/d\nclientPort=1',
    '/d': null,
    '/d/myid': '7\nsecond line\n',
  });
  assert.ok('config' in result);
  assert.equal(result.config.myid, 7);
  assert.deepEqual(result.warnings, []);
});

test('a bad myid is a problem', () => {
  assert.deepEqual(problemsOf({ '/zoo.cfg': 'dataDir=/d\nclientPort=1', '/d/myid': 'seven' }), [
    "/zoo.cfg: myid: 'seven' is not a number",
  ]);
});

test('files that are missing or cannot be read are named', () => {
  const missing = loadConfig({ file: '/no.cfg', env: {}, properties: new Map() }, filesOf({}));
  assert.deepEqual('problems' in missing && missing.problems.map(formatProblem), [
    '/no.cfg: no such file',
  ]);
  const denied = new Error('permission denied');
  assert.deepEqual(problemsOf({ '/zoo.cfg': denied }), [
    '/zoo.cfg cannot be read: permission denied',
  ]);
  assert.deepEqual(problemsOf({ '/zoo.cfg': 'dataDir=/d\nclientPort=1', '/d/myid': denied }), [
    '/zoo.cfg: /d/myid cannot be read: permission denied',
  ]);
  const problems = problemsOf({ '/zoo.cfg': 'dataDir=/d\nclientPort=1\ndynamicConfigFile=/x' });
  assert.deepEqual(problems, ['/zoo.cfg: dynamicConfigFile: /x does not exist']);
});

test('a data directory that is a file is a problem, one that is absent is not', () => {
  const text = 'dataDir=/d\ndataLogDir=/l\nclientPort=1';
  assert.deepEqual(problemsOf({ '/zoo.cfg': text, '/d': 'x', '/l': 'y' }), [
    '/zoo.cfg: dataDir: /d is not a directory',
    '/zoo.cfg: dataLogDir: /l is not a directory',
  ]);
  assert.deepEqual(problemsOf({ '/zoo.cfg': text }), []);
});

test('relative directories become absolute, with a warning', () => {
  const result = load({ '/zoo.cfg': 'dataDir=data\nclientPort=1' });
  assert.ok('config' in result);
  assert.equal(result.config.dataDir, '/cwd/data');
  assert.equal(result.config.dataLogDir, '/cwd/data');
  assert.equal(result.warnings.length, 1);
});

test('the dynamic file is read, and its problems have its name', () => {
  const problems = problemsOf({
    '/zoo.cfg': 'dataDir=/d\nclientPort=1\ninitLimit=1\nsyncLimit=1\ndynamicConfigFile=/dyn',
    '/dyn': 'server.1=a:1:2\nserver.2=b:1',
    '/d/myid': '1',
  });
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^\/dyn:2: server\.2: /);
});

test('without zoo.cfg the environment decides, myid included', () => {
  const result = load({}, { ZOO_DATA_DIR: '/data', ZOO_MY_ID: '3' });
  assert.ok('config' in result);
  assert.equal(result.config.dataDir, '/data');
  assert.equal(result.config.myid, 3);
});

test('bytes beyond ASCII are read as Java reads them, and told', () => {
  const result = load({ '/zoo.cfg': 'dataDir=/d\u00c3\u00bc\nclientPort=1' });
  assert.ok('config' in result);
  assert.equal(result.config.dataDir, '/d\u00c3\u00bc');
  assert.match(result.warnings[0] ?? '', /ISO-8859-1/);
});
