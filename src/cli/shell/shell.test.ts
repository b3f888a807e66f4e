/** Each command of the shell, against a server: what goes to which stream, and the exit code. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { TestServer } from '../../testing/test-server.js';
import { commandNames } from './commands.js';
import { piped, shell, zabra, type Outcome } from './shell.fixture.js';

let server: TestServer;
before(async () => {
  server = await TestServer.start();
});
after(async () => {
  await server.stop();
});

const run = (...words: string[]): Promise<Outcome> => shell(server, words);

function ok(outcome: Outcome, out: string, err = ''): void {
  assert.deepEqual(outcome, { code: 0, out, err });
}

/** Its own corner of the tree. */
async function corner(name: string, ...lines: string[]): Promise<string> {
  const root = `/${name}`;
  const made = await piped(server, [`create ${root} data`, ...lines]);
  assert.equal(made.code, 0, made.err);
  return root;
}

test('create tells the path beside the data; get and ls print data and nothing else', async () => {
  ok(await run('create', '/one', 'hello'), '', 'Created /one\n');
  ok(await run('get', '/one'), 'hello\n');
  ok(await run('get', '-b', '/one'), 'aGVsbG8=\n');
  assert.match((await run('get', '-x', '/one')).out, /\|00000000\| 68 65 6c 6c 6f +\|hello +\|/);
  ok(await run('create', '-s', '/one/s-', 'x'), '', 'Created /one/s-0000000000\n');
  ok(await run('create', '-p', '/one/deep/er', 'x'), '', 'Created /one/deep/er\n');
  ok(await run('ls', '/one'), '[deep, s-0000000000]\n');
  ok(await run('ls', '-R', '/one'), '/one\n/one/deep\n/one/s-0000000000\n/one/deep/er\n');
  ok(await run('getAllChildrenNumber', '/one'), '3\n');
  const { out } = await run('get', '-s', '/one');
  assert.match(out, /^hello\ncZxid = 0x[0-9a-f]+\nctime = .*\n(.*\n){8}numChildren = 2\n$/);
  assert.match((await run('stat', '/one')).out, /^cZxid = 0x/);
});

test('containers, times to live, ephemeral znodes of this session', async () => {
  const root = await corner('kinds');
  const { code, out } = await piped(server, [
    `create -c ${root}/c`,
    `create -t 60000 ${root}/t`,
    `create -e ${root}/e`,
    'getEphemerals',
    `getEphemerals ${root}/x`,
  ]);
  assert.equal(code, 0);
  assert.equal(out, `[${root}/e]\n[]\n`);
  ok(await run('ls', root), '[c, t]\n');
});

test('set changes, under a version where one is given; the refusal tells the version', async () => {
  const root = await corner('versions');
  ok(await run('set', root, 'new'), '');
  assert.match((await run('set', root, 'newer', '-s', '-v', '1')).out, /^dataVersion = 2$/m);
  assert.deepEqual(await run('set', root, 'stale', '-v', '0'), {
    code: 1,
    out: '',
    err: `version No is not valid : ${root}\n  its data is at version 2 now, its ACL at 0\n`,
  });
  ok(await run('set', '-b', root, 'AAEC'), '');
  ok(await run('get', '-b', root), 'AAEC\n');
  assert.equal((await run('set', '-b', root, 'no base64!')).code, 2);
});

test('delete and deleteall; what stands in the way is told', async () => {
  const root = await corner('gone', 'create /gone/a', 'create /gone/a/b', 'create /gone/c');
  assert.deepEqual(await run('delete', root), {
    code: 1,
    out: '',
    err: `Node not empty: ${root}\n  it has 2 children; deleteall deletes them, too\n`,
  });
  assert.equal((await run('delete', '-v', '7', '/gone/c')).code, 1);
  assert.equal((await run('delete', '/gone/c', '7')).code, 1);
  ok(await run('delete', '-v', '0', '/gone/c'), '');
  ok(await run('deleteall', root, '-b', '1'), '');
  assert.equal((await run('stat', root)).code, 1);
  assert.equal((await run('deleteall', '/')).code, 2);
});

test('a path that is missing: the deepest that is there, and one that may be meant', async () => {
  await corner('deepest', 'create /deepest/config x');
  const { code, err } = await run('get', '/deepest/config/db/host');
  assert.equal(code, 1);
  assert.equal(
    err,
    'Node does not exist: /deepest/config/db/host\n' +
      '  /deepest/config/db is missing, /deepest/config is there\n',
  );
  const near = await run('get', '/deepest/confg');
  assert.match(near.err, /did you mean \/deepest\/config\?/);
});

test('ACLs are shown and set, below a znode, too; a refusal tells them and who is asking', async () => {
  const root = await corner('acl', 'create /acl/a', 'create /acl/a/b');
  ok(await run('getAcl', root), "'world,'anyone\n: cdrwa\n");
  ok(await run('setAcl', '-R', root, 'world:anyone:ra'), '');
  ok(await run('getAcl', `${root}/a/b`), "'world,'anyone\n: ra\n");
  assert.deepEqual(await run('set', root, 'x'), {
    code: 1,
    out: '',
    err: `Insufficient permission : ${root}\n  its ACL: world:anyone:ra\n  you are ip:127.0.0.1\n`,
  });
  assert.match(
    (await run('setAcl', '-s', '-v', '1', root, 'world:anyone:cdrwa')).out,
    /aclVersion = 2/,
  );
  const { out, code } = await piped(server, [
    'addauth digest bob:secret',
    'whoami',
    'create /acl/bob x auth::cdrwa',
    'getAcl /acl/bob',
  ]);
  assert.equal(code, 0);
  assert.match(out, /^Auth scheme: User\n(.*\n)*digest: bob\n/);
  assert.match(out, /'digest,'bob:.*\n: cdrwa\n$/);
  assert.equal((await run('get', '/acl/bob')).code, 1);
});

test('quotas: set, listed, taken away, never one below another', async () => {
  await corner('quota', 'create /quota/sub');
  ok(await run('setquota', '-n', '5', '/quota'), '');
  ok(
    await run('listquota', '/quota'),
    'Output quota for /quota count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=-1\n' +
      'Output stat for /quota count=2,bytes=4\n',
    'absolute path is /zookeeper/quota/quota/zookeeper_limits\n',
  );
  const nested = await run('setquota', '-n', '5', '/quota/sub');
  assert.deepEqual(
    [nested.code, nested.err],
    [1, '/quota/sub has a parent /quota which has a quota\n'],
  );
  const small = await run('setquota', '-B', '1', '/quota');
  assert.match(small.err, /^\[Warning\]: the bytes quota .*existing bytes:4\n$/);
  ok(await run('delquota', '-B', '/quota'), '');
  ok(await run('delquota', '/quota'), '');
  assert.equal((await run('listquota', '/quota')).code, 1);
  ok(await run('ls', '-R', '/zookeeper/quota'), '/zookeeper/quota\n');
  assert.equal((await run('setquota', '-n', '0', '/quota')).code, 2);
  assert.equal((await run('setquota', '/quota')).code, 2);
});

test('events of watches are told beside the data, once each', async () => {
  await corner('watched');
  const { out, err } = await piped(server, [
    'get -w /watched',
    'stat -w /watched',
    'set /watched x',
    'addWatch /watched',
    'create /watched/child',
    'printwatches off',
    'set /watched y',
    'printwatches',
    'removewatches /watched',
  ]);
  assert.match(out, /^data\n(.*\n)+printwatches is off\n$/);
  const events = [...err.matchAll(/^WatchedEvent state:SyncConnected type:(\S+) path:(\S+)/gm)];
  assert.deepEqual(
    events.map(([, type, path]) => `${type ?? ''} ${path ?? ''}`),
    ['NodeDataChanged /watched', 'NodeCreated /watched/child'],
  );
});

test('watch prints what happens, as many events as are wanted', async () => {
  await corner('stream');
  let [first, second] = ['', ''];
  const watching = shell(server, ['watch', '-R', '--count', '2', '/stream', '--json'], {
    onPrint: (all) => ([first = '', second = ''] = all.split('\n')),
  });
  // there is nothing to see before it watches: until it has seen something, go on
  for (let round = 0; second === ''; round++) await run('create', `/stream/n${round}`, 'x');
  const { code, out } = await watching;
  assert.equal(code, 0);
  assert.equal(out.trimEnd().split('\n').length, 2);
  const event = JSON.parse(first) as { type: string; path: string; zxid: string };
  assert.equal(event.type, 'created');
  assert.match(event.path, /^\/stream\/n\d+$/);
  assert.match(event.zxid, /^0x[0-9a-f]+$/);
});

test('Ctrl-C ends watch well, and another command with 130', async () => {
  await corner('stop');
  const stop = new AbortController();
  const stopped = once(stop.signal, 'abort').then(() => 'SIGINT');
  const watching = shell(server, ['watch', '/stop'], {
    stopped,
    onPrint: () => {
      stop.abort();
    },
  });
  // until it watches, there is nothing to see
  while (!stop.signal.aborted) await run('set', '/stop', 'x');
  assert.equal((await watching).code, 0);
  const late = await shell(server, ['get', '/stop'], { stopped: Promise.resolve('SIGINT') });
  assert.equal(late.code, 130);
});

test('tree draws, du counts', async () => {
  await corner('look', 'create /look/a 12345', 'create /look/a/b 1', 'create /look/c 12');
  ok(await run('tree', '/look'), '/look\n├── a\n│   └── b\n└── c\n');
  ok(
    await run('tree', '/look', '--depth', '1', '--sizes'),
    '/look  (4 bytes)\n├── a  (5 bytes, 1 below)\n└── c  (2 bytes)\n',
  );
  ok(await run('du', '/look'), ' 6  2  /look/a\n 2  1  /look/c\n12  4  /look\n');
  const { out } = await run('du', '/look', '--json');
  assert.deepEqual(JSON.parse(out), [
    { path: '/look/a', bytes: 6, nodes: 2 },
    { path: '/look/c', bytes: 2, nodes: 1 },
    { path: '/look', bytes: 12, nodes: 4 },
  ]);
});

test('--json: one document a command, failures too; --ndjson: one a result', async () => {
  await corner('json', 'create /json/a 1', 'set -b /json AP8=');
  const { out } = await run('--json', 'get', '/json');
  const found = JSON.parse(out) as Record<string, unknown>;
  assert.deepEqual([found['data'], found['encoding']], ['AP8=', 'base64']);
  assert.equal((found['stat'] as { version: number }).version, 1);
  assert.deepEqual(JSON.parse((await run('ls', '-R', '/json', '--json')).out), [
    '/json',
    '/json/a',
  ]);
  assert.equal((await run('ls', '-R', '/json', '--ndjson')).out, '"/json"\n"/json/a"\n');
  const missing = await run('--json', 'get', '/json/b');
  assert.equal(missing.code, 1);
  assert.equal(missing.err, '');
  const { error } = JSON.parse(missing.out) as { error: Record<string, unknown> };
  assert.deepEqual([error['code'], error['number'], error['path']], ['NONODE', -101, '/json/b']);
  ok(await run('set', '/json', '--', '--json'), '');
  ok(await run('get', '/json'), '--json\n');
  const made = JSON.parse((await run('create', '/json/c', '--json')).out) as { path: string };
  assert.equal(made.path, '/json/c');
});

test('piped commands go on after a failure, and end with its code; --fail-fast stops there', async () => {
  const lines = ['# a comment', '', 'get /zookeeper', 'get /nosuch', 'get -z', 'ls /zookeeper'];
  const { code, out } = await piped(server, lines);
  assert.equal(code, 1);
  assert.equal(out, '\n[config, quota]\n');
  const input = lines.join('\n');
  const fast = await shell(server, ['--fail-fast'], { input });
  assert.deepEqual([fast.code, fast.out], [1, '\n']);
});

test('history, redo, close, connect, quit', async () => {
  const { out, err, code } = await piped(server, [
    'get /zookeeper/quota',
    'redo 0',
    'history',
    'redo 9',
    'close',
    'ls /',
    `connect ${server.connectString}`,
    'ls /zookeeper',
    'quit',
    'ls /',
  ]);
  assert.equal(
    out,
    '\n\n0 - get /zookeeper/quota\n1 - get /zookeeper/quota\n2 - history\n[config, quota]\n',
  );
  assert.match(err, /^Command index out of range\n.*Not connected\n$/s);
  assert.equal(code, 2);
});

test('config, reconfig, sync, version', async () => {
  ok(await run('sync', '/'), 'Sync is OK\n');
  assert.match((await run('version')).out, /^ZooKeeper CLI version: 3\.9\.5-zabra/);
  assert.equal((await run('config')).code, 0);
  assert.equal((await run('reconfig')).code, 2);
  assert.equal((await run('reconfig', '-add', 'x', '-members', 'y')).code, 2);
  assert.match((await run('reconfig', '-remove', '1')).err, /^KeeperErrorCode = /);
});

test('what is not understood ends with 2, and says what would be', async () => {
  const near = await run('getacl', '/');
  assert.deepEqual([near.code, near.out], [2, '']);
  assert.equal(near.err, 'Command not found: getacl; did you mean getAcl?\n');
  const usage = await run('create');
  assert.equal(usage.code, 2);
  assert.match(usage.err, /^an argument is missing\n {2}create \[-s\] \[-e\] \[-c\] \[-t ttl\]/);
  for (const [words, sentence] of [
    [['get', 'relative'], 'Path must start with / character'],
    [['get', '/a//b'], 'Invalid path string "/a//b" caused by empty node name specified @3'],
    [['create', '/x', 'x', 'world'], 'world does not have the form scheme:id:perm'],
    [['create', '-t', '-5', '/x'], 'ttl must be positive and cannot be larger than: 1099511627775'],
    [['create', '-e', '-t', '5', '/x'], 'TTLs cannot be used with Ephemeral znodes'],
    [['get', '-z', '/'], 'Unrecognized option: -z'],
  ] as const) {
    const { code, out, err } = await run(...words);
    assert.deepEqual([code, out, err.split('\n')[0]], [2, '', sentence]);
  }
});

test('help needs no server; nobody at the address is told within the time', async () => {
  const all = await zabra(['cli', 'help']);
  assert.equal(all.code, 0);
  for (const name of commandNames()) assert.match(all.out, new RegExp(`^ {2}${name} `, 'm'));
  assert.match(
    (await zabra(['cli', 'help', 'set'])).out,
    /^set path data \[-s\] \[-v version\] \[-b\]\n/,
  );
  assert.equal((await zabra(['cli', '--help'])).code, 0);
  assert.match((await zabra(['cli', '--version'])).out, /^ZooKeeper CLI version/);
  const gone = await TestServer.start();
  const address = gone.connectString;
  await gone.stop();
  const words = ['cli', '-server', address, '-timeout', '300', '-waitforconnection', 'ls', '/'];
  const { code, out, err } = await zabra(words);
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /^KeeperErrorCode = ConnectionLoss\n/);
  const given = { stopped: Promise.resolve('SIGINT') };
  assert.equal((await zabra(['cli', '-server', address, 'ls', '/'], given)).code, 130);
  for (const wrong of [['-server'], ['-timeout', 'x', 'ls', '/'], ['-nosuch', 'ls', '/']]) {
    assert.equal((await zabra(['cli', ...wrong])).code, 2);
  }
  assert.equal((await zabra(['cli', '-server', 'host:99999', 'ls', '/'])).code, 2);
});

test("paths below a chroot are the shell's own", async () => {
  await corner('root', 'create /root/in x');
  const { code, out } = await zabra(['cli', '-server', `${server.connectString}/root`, 'ls', '/']);
  assert.deepEqual([code, out], [0, '[in]\n']);
});
