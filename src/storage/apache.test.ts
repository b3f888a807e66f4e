// What Apache ZooKeeper 3.9.5 wrote and printed, captured by test/fixtures/storage/capture.sh.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { nodeClock } from '../node/clock.js';
import { nodeCompression } from '../node/compression.js';
import { NodeDisk } from '../node/disk.js';
import { describeState } from '../sim/crash/history.js';
import { storageOptions } from '../sim/crash/world.js';
import { decodeUtf8 } from '../protocol/utf8.js';
import type { Recovered } from './recovery.js';
import { Storage } from './storage.js';
import { formatSnapshot, formatSnapshotJson } from './tools/snapshot.js';
import type { TimeText } from './tools/time-text.js';
import { dumpLog } from './tools/txn-log.js';

const fixtures = resolve(import.meta.dirname, '../../test/fixtures/storage/3.9.5');
const kinds = { plain: '', gz: 'gz', snappy: 'snappy' } as const;
type Kind = keyof typeof kinds;

const scratch = mkdtempSync(join(tmpdir(), 'zabra-apache-'));
after(() => {
  rmSync(scratch, { recursive: true });
});

/** A copy of what Apache left; `only`: those files of it. */
function directoryOf(kind: Kind, only: readonly string[]): string {
  const directory = mkdtempSync(join(scratch, `${kind}-`));
  for (const name of only) {
    cpSync(join(fixtures, kind, 'version-2', name), join(directory, 'version-2', name));
  }
  return directory;
}

function nameOf(kind: Kind, zxid: string): string {
  return `snapshot.${zxid}${kind === 'plain' ? '' : `.${kind}`}`;
}

function open(directory: string, kind: Kind): Storage {
  return Storage.open({
    ...storageOptions(new NodeDisk()),
    clock: nodeClock,
    compression: nodeCompression,
    snapDir: directory,
    logDir: directory,
    snapshotCompression: kinds[kind],
    treeOptions: { extendedTypes: true },
  });
}

async function recovered(storage: Storage): Promise<Recovered & { readonly state: string }> {
  const found = await storage.recover();
  return { ...found, state: describeState(found.tree, found.sessions) };
}

for (const kind of Object.keys(kinds) as Kind[]) {
  test(`a directory that Apache left at kill -9 (${kind}): snapshot and log, sessions and all`, async () => {
    const fromLog = open(directoryOf(kind, [nameOf(kind, '0'), 'log.1']), kind);
    const replayed = await recovered(fromLog);
    fromLog.close();
    assert.equal(replayed.lastZxid, 0x28n);
    assert.equal(replayed.replayed, 40);
    assert.equal(replayed.digestMismatch, null, "the digests in the log are the tree's");
    assert.equal(replayed.sessions.size, 1);
    assert.equal(replayed.tree.ephemeralCount, 1);

    // Apache's own snapshot of the result says the same
    const fromSnapshot = open(directoryOf(kind, [nameOf(kind, '28')]), kind);
    const loaded = await recovered(fromSnapshot);
    fromSnapshot.close();
    assert.equal(loaded.replayed, 0);
    assert.equal(loaded.digestMismatch, null, 'and the digest in the snapshot');
    assert.equal(loaded.state, replayed.state);
  });
}

test("a snapshot of Apache's, loaded and written again, is the same to the byte", async () => {
  for (const zxid of ['0', '28']) {
    const name = nameOf('plain', zxid);
    const directory = directoryOf('plain', [name]);
    const path = join(directory, 'version-2', name);
    const original = readFileSync(path);
    const storage = open(directory, 'plain');
    const { tree, sessions } = await storage.recover();
    writeFileSync(path, '');
    const written = await storage.takeSnapshot(tree, sessions);
    storage.close();
    assert.equal(written.file, path);
    assert.ok(readFileSync(path).equals(original), name);
  }
});

test("a log of Apache's without its snapshot is refused, as Apache does", async () => {
  const storage = open(directoryOf('plain', ['log.1']), 'plain');
  await assert.rejects(storage.recover(), /No snapshot found, but there are log entries/);
  storage.close();
});

/** The captures were made in UTC. */
const utc: TimeText = {
  short(timeMs) {
    const options = { dateStyle: 'short', timeStyle: 'long', timeZone: 'UTC' } as const;
    return new Intl.DateTimeFormat('en-US', options).format(timeMs).replaceAll('\u202f', ' ');
  },
  long(timeMs) {
    const [day = '', date = '', month = '', year = '', time = ''] = new Date(timeMs)
      .toUTCString()
      .replace(',', '')
      .split(' ');
    return `${day} ${month} ${date} ${time} UTC ${year}`;
  },
};

function captured(name: string): string {
  const bytes = readFileSync(join(fixtures, name));
  return decodeUtf8(bytes, 0, bytes.length);
}

function printed(lines: Iterable<string>): string {
  let text = '';
  for (const line of lines) text += line.endsWith('\n') ? line : `${line}\n`;
  return text;
}

test('a log is dumped as TxnLogToolkit dumps it', () => {
  const path = join(fixtures, 'plain', 'version-2', 'log.1');
  assert.equal(printed(dumpLog(new NodeDisk(), path, utc)), captured('txn-log-toolkit.txt'));
});

for (const kind of Object.keys(kinds) as Kind[]) {
  test(`a snapshot (${kind}) is printed as SnapshotFormatter prints it`, async () => {
    const path = join(fixtures, kind, 'version-2', nameOf(kind, '28'));
    const parts = { disk: new NodeDisk(), compression: nodeCompression, clock: nodeClock, path };
    const lines: string[] = [];
    for await (const line of formatSnapshot(parts, utc, false)) lines.push(line);
    if (kind === 'plain') {
      assert.equal(printed(lines), captured('snapshot-toolkit.txt'));
      lines.length = 0;
      for await (const line of formatSnapshot(parts, utc, true)) lines.push(line);
      assert.equal(printed(lines), captured('snapshot-toolkit-d.txt'));
      let json = '';
      for await (const piece of formatSnapshotJson(parts)) json += piece;
      const timeless = (text: string): string => text.replace(/"timestamp":\d+/, '"timestamp":0');
      assert.equal(timeless(json), timeless(captured('snapshot-toolkit-json.txt')));
      JSON.parse(json);
    } else {
      // another server, at another time: the same znodes
      const names = (text: string): string[] =>
        text.split('\n').filter((line) => line.startsWith('/'));
      assert.deepEqual(names(printed(lines)), names(captured('snapshot-toolkit.txt')));
    }
  });
}
