import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runServer } from '../node/run-server.js';
import { silentLogger } from '../ports/logger.js';
import { adler32 } from '../protocol/adler32.js';
import { configOf } from '../server/config/config.js';
import { runLogCommand } from './log-command.js';
import { runSnapshotCommand } from './snapshot-command.js';
import type { Terminal } from './terminal.js';

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  command: (argv: readonly string[], terminal: Terminal) => Promise<number> | number,
  argv: readonly string[],
  inputFd = -1,
): Promise<Outcome> {
  let [out, err] = ['', ''];
  const code = await command(argv, {
    env: {},
    inputFd,
    print: (text) => void (out += text),
    complain: (line) => void (err += `${line}\n`),
    startServer: () => Promise.reject(new Error('tools start no server')),
    untilStopped: () => Promise.resolve(''),
    onCrash: () => undefined,
  });
  return { code, out, err };
}

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'zabra-tools-'));
  try {
    await act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A log with sessions created at zxids 1, 2 …; the checksum of the second one is wrong. */
function writeLog(path: string, count: number): void {
  const pieces = [Buffer.from('5a4b4c470000000200000000000000' + '00', 'hex')];
  for (let zxid = 1; zxid <= count; zxid++) {
    const payload = Buffer.alloc(36);
    payload.writeBigInt64BE(0x1234n + BigInt(zxid), 0);
    payload.writeBigInt64BE(BigInt(zxid), 12);
    payload.writeInt32BE(-10, 28);
    payload.writeInt32BE(30_000, 32);
    const prefix = Buffer.alloc(12);
    prefix.writeUInt32BE(adler32(payload, 0, payload.length) ^ (zxid === 2 ? 1 : 0), 4);
    prefix.writeInt32BE(payload.length, 8);
    pieces.push(prefix, payload, Buffer.from('B'));
  }
  writeFileSync(path, Buffer.concat(pieces));
}

const header = 'ZooKeeper Transactional Log File with dbid 0 txnlog format version 2\n';

function withoutTimes(text: string): string {
  return text.replace(/\d+\/\d+\/\d+, \d+:\d+:\d+ [AP]M \S+/g, 'TIME');
}

test('log: every transaction is a line, broken ones are told', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'log.1');
    writeLog(path, 2);
    const { code, out } = await run(runLogCommand, [path]);
    assert.equal(code, 0);
    assert.equal(
      withoutTimes(out),
      `${header}TIME session 0x1235 cxid 0x0 zxid 0x1 createSession 30000\n` +
        'CRC ERROR - TIME session 0x1236 cxid 0x0 zxid 0x2 createSession 30000\n' +
        'TIME session 0x1236 cxid 0x0 zxid 0x2 createSession 30000\n' +
        'EOF reached after 2 txns.\n',
    );
    assert.equal((await run(runLogCommand, ['--dump', path])).out, out);
  });
});

test('log -r asks, and mends what it was told to', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'log.1');
    writeLog(path, 3);
    writeFileSync(join(folder, 'answers'), 'what?\nyes\n');
    const answers = openSync(join(folder, 'answers'), 'r');
    const { code, out } = await run(runLogCommand, ['-r', path], answers);
    closeSync(answers);
    assert.equal(code, 0);
    const question = 'Would you like to fix it (Yes/No/Abort) ? ';
    assert.equal(
      withoutTimes(out),
      `${header}CRC ERROR - TIME session 0x1236 cxid 0x0 zxid 0x2 createSession 30000\n` +
        `${question}${question}EOF reached after 3 txns.\n` +
        `Recovery file ${path}.fixed has been written with 1 fixed CRC error(s)\n`,
    );
    assert.doesNotMatch((await run(runLogCommand, [`${path}.fixed`])).out, /CRC/);
    const again = await run(runLogCommand, ['-r', '-y', path]);
    assert.deepEqual([again.code, again.err.includes('already exists')], [1, true]);
  });
});

test('log -r without anybody to answer aborts', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'log.1');
    writeLog(path, 2);
    const nobody = openSync('/dev/null', 'r');
    const { code, err } = await run(runLogCommand, ['-r', path], nobody);
    closeSync(nobody);
    assert.deepEqual([code, err], [0, 'Recovery aborted.\n']);
  });
});

test('log -c -z cuts behind a transaction', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'log.1');
    writeLog(path, 1);
    const rest = join(folder, 'three');
    writeLog(rest, 3);
    const whole = readFileSync(rest);
    // the first record of one, the third of the other: whole ones only
    writeFileSync(path, Buffer.concat([readFileSync(path), whole.subarray(16 + 2 * 49)]));
    const { code, out } = await run(runLogCommand, ['-c', '-z', '0x1', path]);
    assert.equal(code, 0);
    assert.match(out, /Chopping at 1 new log has 1 records\n$/);
    assert.match((await run(runLogCommand, [`${path}.chopped1`])).out, /EOF reached after 1 txns/);
  });
});

test('log: what is no log, no file, no option', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'log.1');
    writeFileSync(path, 'this is not a log file at all');
    const noLog = await run(runLogCommand, [path]);
    assert.deepEqual([noLog.code, noLog.err], [2, 'Invalid magic number for log.1\n']);
    const noFile = await run(runLogCommand, [`${path}x`]);
    assert.deepEqual([noFile.code, noFile.out], [1, '']);
    for (const argv of [[], ['-q', path], ['-c', '-z', 'one', path], [path, path]]) {
      const { code, err } = await run(runLogCommand, argv);
      assert.equal(code, 1, argv.join(' '));
      assert.match(err, /^.+\n\nusage: zabra log/);
    }
    writeLog(path, 1);
    const bytes = readFileSync(path);
    bytes.writeInt32BE(99, 16 + 12 + 28);
    writeFileSync(path, bytes);
    const unreadable = await run(runLogCommand, [path]);
    assert.equal(unreadable.code, 1);
    assert.match(unreadable.err, /^a transaction cannot be read: /);
  });
});

test('snapshot: znodes with their stat, sessions, and the tree as JSON', async () => {
  await inFolder(async (folder) => {
    const server = await runServer(
      configOf({
        dataDir: folder,
        clientPort: 0,
        clientPortAddress: '127.0.0.1',
        adminServerEnabled: false,
      }),
      { logger: silentLogger },
    );
    await server.stop();
    const path = join(folder, 'version-2', 'snapshot.0');
    const { code, out } = await run(runSnapshotCommand, [path]);
    assert.equal(code, 0);
    assert.match(out, /^ZNode Details \(count=\d+\):\n----\n\/\n {2}cZxid = 0x00000000000000\n/);
    assert.match(out, /\/zookeeper\/quota\n/);
    assert.match(out, /dataLength = 0\n/);
    assert.match((await run(runSnapshotCommand, ['-d', path])).out, / {2}data = \n/);
    const json = JSON.parse((await run(runSnapshotCommand, ['-json', path])).out) as unknown[];
    assert.equal(json[0], 1);
  });
});

test('snapshot: what is no snapshot, no file, no option', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'snapshot.0');
    writeFileSync(path, 'nothing of the kind');
    assert.equal((await run(runSnapshotCommand, [path])).code === 0, false);
    for (const argv of [
      [],
      ['-x', path],
      [path, path],
      [`${path}x`],
      [folder],
      ['-d', '-json', path],
    ]) {
      const { code, out, err } = await run(runSnapshotCommand, argv);
      assert.deepEqual([code, out], [2, ''], argv.join(' '));
      assert.notEqual(err, '');
    }
  });
});
