/** Subtrees in files: what is written can be read, compared, brought back, and gone on with. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { TestServer } from '../../testing/test-server.js';
import { aclOf } from './acl-text.js';
import { dumpOf, DumpFormatError, readDump, type Dump } from './dump/dump.js';
import { writeDumpJson } from './dump/dump-json.js';
import { readDumpText, writeDumpText } from './dump/dump-text.js';
import { piped, shell, type Outcome } from './shell.fixture.js';

let server: TestServer;
let folder: string;
before(async () => {
  server = await TestServer.start();
  folder = mkdtempSync(join(tmpdir(), 'zabra-dump-'));
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const run = (...words: string[]): Promise<Outcome> => shell(server, words);
const fileOf = (name: string): string => join(folder, name);

function written(name: string, text: string): string {
  writeFileSync(fileOf(name), text);
  return fileOf(name);
}

async function seed(root: string): Promise<void> {
  const { code, err } = await piped(server, [
    `create ${root} "the root's"`,
    `create ${root}/db host=db1`,
    `create ${root}/jobs`,
    `create -s ${root}/jobs/j- one`,
    `set -b ${root}/jobs AP8=`,
    `create ${root}/shut x world:anyone:ra`,
  ]);
  assert.equal(code, 0, err);
}

const paths = fc
  .array(fc.stringMatching(/^[a-z "#=\u00e4]{1,5}$/), { minLength: 1, maxLength: 3 })
  .map((names) => `/${names.join('/')}`);
const dumps: fc.Arbitrary<Dump> = fc
  .uniqueArray(
    fc.record(
      {
        path: fc.oneof(fc.constant('/'), paths),
        data: fc.oneof(
          fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
          fc.array(fc.constantFrom('a', ' ', '\n', '\t', '=', '#', '"', '/')).map((all) => {
            return Buffer.from(all.join(''));
          }),
          fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        ),
        acl: fc.constantFrom(aclOf('world:anyone:cdrwa'), aclOf('ip:::1:r,digest:bob:x/y=:cdrwa'), [
          { scheme: 'x509', id: 'CN=a, O=b ', perms: 3 },
        ]),
        kind: fc.constant('persistent' as const),
        ttlMs: fc.constant(0),
      },
      { noNullPrototype: true },
    ),
    { selector: ({ path }) => path },
  )
  .map((nodes) => dumpOf('/some/root', nodes));

test('both forms say all that a dump has, whatever the data is', async () => {
  await fc.assert(
    fc.asyncProperty(dumps, async (dump) => {
      assert.deepEqual(await readDump(writeDumpText(dump, ['a comment'])), dump);
      assert.deepEqual(await readDump(writeDumpJson(dump)), dump);
    }),
    { numRuns: 100 },
  );
});

test('a file with a mistake is refused with its line, and nothing is sent', async () => {
  for (const [text, reason] of [
    ['/a\n', /no line that says its root/],
    ['root /r\n/a/\n', /line 2: \/a\/: Path must not end/],
    ['root /r\n  = x\n', /line 2: this belongs to no path/],
    ['root /r\n/a\n  data x\n', /line 3: 'data' is none of/],
    ['root /r\n/a\n  acl world\n', /line 3: world does not have the form/],
    ['root /r\n/a\n  ttl soon\n', /line 3: ttl takes milliseconds/],
    ['root /r\n/a\n/a\n', /\/a is there twice/],
    ['root /r\n/a\n  = x\n  base64 eA==\n', /data in two forms/],
  ] as const) {
    assert.throws(
      () => readDumpText(text),
      (error: unknown) => {
        assert.ok(error instanceof DumpFormatError);
        assert.match(error.message, reason);
        return true;
      },
    );
  }
  for (const text of ['{', '{"format":"x"}', '{"format":"zabra-export","version":1,"root":"/"}']) {
    const { code, err } = await run('import', written('bad.json', text));
    assert.equal(code, 2);
    assert.match(err, /bad\.json: /);
  }
  assert.equal((await run('import', fileOf('nosuch'))).code, 1);
});

test('export, then diff and import: the same tree, here or elsewhere', async () => {
  await seed('/app');
  const plain = await run('export', '/app');
  assert.equal(plain.code, 0);
  assert.match(plain.out, /^# zabra export of \/app at 0x/);
  for (const name of ['app.txt', 'app.json']) {
    const made = await run('export', '/app', fileOf(name));
    assert.deepEqual([made.code, made.out], [0, ''], made.err);
    assert.equal((await run('export', '/app', fileOf(name))).code, 1);
    assert.equal((await run('export', '--force', '/app', fileOf(name))).code, 0);
    assert.deepEqual(await run('diff', fileOf(name)), { code: 0, out: '', err: '' });
    const twin = `/twin/of-${name.replace('.', '-')}`;
    const copied = await run('import', fileOf(name), twin);
    assert.deepEqual([copied.code, copied.err], [0, '5 changes in 1 transaction\n']);
    assert.equal((await run('diff', fileOf(name), twin)).code, 0);
    assert.match((await run('getAcl', `${twin}/shut`)).out, /: ra\n$/);
    assert.match(
      (await run('import', fileOf(name), twin)).err,
      /^0 changes .*5 znodes as in the file/,
    );
  }
});

test('ephemeral znodes are left out, counted, and in the way where the file has one', async () => {
  const { out, err } = await piped(server, [
    'create /eph x',
    'create -e /eph/mine x',
    'export /eph',
    'diff /dev/null',
  ]);
  assert.match(out, /^# 1 znode; 1 ephemeral left out$/m);
  assert.match(err, /^\/eph: 1 znode; 1 ephemeral left out$/m);
  const file = written('eph.txt', 'root /eph\n/\n  = x\n/mine\n  = y\n');
  const clash = await piped(server, ['create -e /eph/mine x', `apply ${file}`, 'get /eph/mine']);
  assert.match(clash.out, /^! \/eph\/mine {2}it is there, ephemeral, of session 0x[0-9a-f]+\nx\n$/);
});

test('import adds, and says what is otherwise; --skip and --overwrite decide', async () => {
  await seed('/merge');
  const file = written('merge.txt', 'root /merge\n/db\n  = host=db2\n/new/deep\n/new\n');
  const refused = await run('import', file);
  assert.equal(refused.code, 1);
  assert.equal(refused.out, '! /merge/db  it is there with other data\n');
  assert.equal((await run('stat', '/merge/new')).code, 1);
  assert.equal((await run('import', '--skip', file)).code, 0);
  assert.equal((await run('get', '/merge/db')).out, 'host=db1\n');
  assert.equal((await run('stat', '/merge/new/deep')).code, 0);
  const dry = await run('import', '--overwrite', '--dry-run', file);
  assert.deepEqual([dry.code, dry.out], [0, "~ /merge/db  'host=db1' -> 'host=db2'\n"]);
  assert.equal((await run('get', '/merge/db')).out, 'host=db1\n');
  assert.equal((await run('import', '--overwrite', file)).code, 0);
  assert.equal((await run('get', '/merge/db')).out, 'host=db2\n');
  const orphan = written('orphan.txt', 'root /merge\n/no/parent\n');
  assert.match(
    (await run('import', orphan)).out,
    /its parent is neither in the tree nor in the file/,
  );
});

test('apply makes the tree like the file: dry first, then whole, with --prune to the last znode', async () => {
  await seed('/state');
  const file = written(
    'state.txt',
    'root /state\n/\n  = other\n/db\n  = host=db1\n  acl world:anyone:cdrwa\n  acl ip:127.0.0.1:r\n/fresh\n  container\n',
  );
  const plan = [
    "+ /state/fresh  ''",
    "~ /state  'the root's' -> 'other'",
    '~ /state/db  acl world:anyone:cdrwa -> world:anyone:cdrwa,ip:127.0.0.1:r',
    '- /state/shut',
    '- /state/jobs/j-0000000000',
    '- /state/jobs',
    '',
  ].join('\n');
  const seen = await run('diff', file);
  assert.deepEqual([seen.code, seen.out], [1, plan]);
  const dry = await run('apply', '--dry-run', '--prune', file);
  assert.deepEqual([dry.code, dry.out], [0, plan]);
  assert.match(dry.err, /^would make 6 changes in 1 transaction, and 1 ACL one by one\n$/);
  assert.equal((await run('diff', file)).out, plan);
  const kept = await run('apply', file);
  assert.match(
    kept.err,
    /^3 znodes only in the tree; --prune deletes them\n3 changes in 1 transaction/,
  );
  assert.equal((await run('apply', '--prune', file)).code, 0);
  assert.deepEqual(await run('diff', file), { code: 0, out: '', err: '' });
});

test('what is too long for one transaction goes in several; half-done, the same again goes on', async () => {
  const count = 300;
  const nodes = Array.from({ length: count }, (_, at) => `/n${String(at).padStart(3, '0')}`);
  const file = written(
    'long.txt',
    `root /long\n/\n${nodes.map((path) => `${path}\n  = ${'x'.repeat(200)}\n`).join('')}`,
  );
  // the 200th is in the way, as somebody else's ephemeral: what was before it stays
  const half = written(
    'half.txt',
    `root /long\n/\n${nodes
      .slice(0, 200)
      .map((path) => `${path}\n  = ${'x'.repeat(200)}\n`)
      .join('')}`,
  );
  assert.equal((await run('import', half, '--max-bytes', '16384')).code, 0);
  const { code, err } = await run('import', file, '--max-bytes', '16384');
  assert.equal(code, 0);
  assert.match(err, /do not fit into one transaction: 100 changes in \d+ transactions/);
  assert.match(err, /100 changes in \d+ transactions; 201 znodes as in the file already\n$/);
  assert.equal((await run('getAllChildrenNumber', '/long')).out, `${count}\n`);
  const huge = written('huge.txt', `root /huge\n/\n  = ${'x'.repeat(20_000)}\n`);
  const refused = await run('import', huge, '--max-bytes', '16384');
  assert.match(refused.err, /^\/huge with its data is longer than a request may be\n/);
});

test('a transaction that fails in the middle: told how far it came and how to go on', async () => {
  const shut = Array.from({ length: 150 }, (_, at) => `/a${String(at).padStart(3, '0')}`);
  const nodes = (acl: string): string =>
    [...shut, '/b', '/b/c']
      .map((path) => `${path}\n  = ${'x'.repeat(200)}\n${path === '/b' ? acl : ''}`)
      .join('');
  // nobody may make a child of /b: its transaction fails, those before it stay
  const file = written('stop.txt', `root /stop\n/\n${nodes('  acl world:anyone:ra\n')}`);
  const stopped = await run('import', file, '--max-bytes', '16384');
  assert.equal(stopped.code, 1);
  assert.match(
    stopped.err,
    /Insufficient permission : \/stop\/b\/c\n {2}\d\d+ of 153 changes are made; the same again goes on/,
  );
  const mended = written('stop.txt', `root /stop\n/\n${nodes('')}`);
  const again = await run('import', mended, '--max-bytes', '16384');
  assert.match(again.err, /; \d\d+ znodes as in the file already\n$/);
  assert.equal((await run('diff', mended)).code, 0);
});

test('what does not fit together is refused as a whole; ACLs come last, those that can be', async () => {
  const { code } = await piped(server, [
    'create /refused x',
    'create /refused/shut x world:anyone:cdrw',
    'create /refused/open x',
  ]);
  assert.equal(code, 0);
  const whole = written('whole.txt', 'root /refused\n/new\n/shut\n  = y\n/new/a\n');
  const locked = await piped(server, ['setAcl /refused world:anyone:ra', `apply ${whole}`]);
  assert.match(locked.err, /Insufficient permission : .*\n {2}nothing is changed\n$/);
  assert.equal((await run('get', '/refused/shut')).out, 'x\n');
  const acls = written(
    'acls.txt',
    'root /refused\n/shut\n  = x\n  acl world:anyone:r\n/open\n  = x\n  acl world:anyone:r\n',
  );
  const { err } = await run('apply', acls);
  assert.match(err, /Insufficient permission : \/refused\/shut\n {2}1 of 2 changes are made/);
  assert.match((await run('getAcl', '/refused/open')).out, /: r\n$/);
});

test('Ctrl-C in the middle of an import: what is made stays, the same again makes the rest', async () => {
  const count = 3000;
  const nodes = Array.from({ length: count }, (_, at) => `/n${at}\n  = ${'x'.repeat(100)}\n`);
  const file = written('ctrl-c.txt', `root /ctrl-c\n/\n${nodes.join('')}`);
  const stop = new AbortController();
  const stopped = once(stop.signal, 'abort').then(() => 'SIGINT');
  const importing = shell(server, ['import', file, '--max-bytes', '16384'], { stopped });
  for (let made = 0; made < 100;) {
    made = Number((await run('getAllChildrenNumber', '/ctrl-c')).out);
  }
  stop.abort();
  const { code, err } = await importing;
  assert.equal(code, 130);
  assert.match(err, /\nstopped\n {2}\d+ of 3001 changes are made; the same again goes on/);
  const again = await run('import', file, '--max-bytes', '16384');
  assert.match(again.err, /; \d\d\d+ znodes as in the file already\n$/);
  assert.equal((await run('getAllChildrenNumber', '/ctrl-c')).out, `${count}\n`);
});

test('a dump may come from a pipe, and answer in JSON', async () => {
  const input = readFileSync(written('pipe.txt', 'root /pipe\n/\n  = x\n'), 'utf8');
  const { code, out } = await shell(server, ['import', '-', '--json'], { input });
  assert.equal(code, 0);
  const { changed, transactions, changes } = JSON.parse(out) as Record<string, unknown>;
  assert.deepEqual([changed, transactions], [1, 1]);
  assert.deepEqual(changes, [{ type: 'create', path: '/pipe', data: 'x', encoding: 'utf8' }]);
  const exported = JSON.parse((await run('export', '/pipe', '--json')).out) as { root: string };
  assert.equal(exported.root, '/pipe');
});
