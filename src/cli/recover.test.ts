import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockDirectoryNow } from '../node/directory-lock.js';
import { NodeDisk } from '../node/disk.js';
import { ZooServer } from '../node/zoo-server.js';
import { silentLogger } from '../ports/logger.js';
import { OpCode } from '../protocol.js';
import { main } from './main.js';
import { OverlayDisk } from './overlay-disk.js';
import { nextDynamicFile, recoveredConfig, recoveredText } from './recover-config.js';
import { historyOf, placeOf } from './survivor.js';
import type { Terminal } from './terminal.js';

async function inFolder(act: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'zabra-recover-'));
  try {
    await act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function recover(
  args: readonly string[],
  given: { readonly columns?: number; readonly inputFd?: number } = {},
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const terminal: Terminal = {
    ...{ env: {}, columns: given.columns, inputFd: given.inputFd ?? -1 },
    print: (text) => void (out += text),
    complain: (line) => void (err += `${line}\n`),
    startServer: () => Promise.reject(new Error('nothing may be started')),
    untilStopped: () => Promise.resolve('SIGTERM'),
    onCrash: () => undefined,
  };
  const code = await main(['recover', ...args], terminal);
  return { code, out, err };
}

/** So many znodes more, by a server that runs for that long. */
async function write(dataDir: string, count: number, dataLogDir = dataDir): Promise<void> {
  const server = new ZooServer({ id: 1, dataDir, dataLogDir, preAllocBytes: 65_536 });
  await server.start();
  const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];
  const create = { path: '/n-', data: new Uint8Array(), acl, flags: 2 };
  for (let done = 0; done < count; done++) {
    await server.submitRequest({ op: OpCode.create, body: create });
  }
  await server.stop();
}

const members = (observer = 0): string =>
  [1, 2, 3, 4, 5]
    .map((sid) => `server.${sid}=h${sid}:2888:3888${sid === observer ? ':observer' : ''};2181`)
    .join('\n');

function asMember(dataDir: string, sid: number, more = members()): void {
  writeFileSync(join(dataDir, 'myid'), `${sid}\n`);
  const text = `dataDir=${dataDir}\ninitLimit=10\nsyncLimit=5\n${more}\n`;
  writeFileSync(join(dataDir, 'zoo.cfg'), text);
}

/** Of two out of five: the second's history is the longer one. */
async function twoOfFive(folder: string): Promise<[string, string]> {
  const [older, newer] = [join(folder, 'older'), join(folder, 'newer')];
  await write(newer, 3);
  cpSync(newer, older, { recursive: true });
  await write(newer, 4);
  asMember(older, 2);
  asMember(newer, 4);
  return [older, newer];
}

/** Everything that lies in a folder, but who locked it last. */
function pictureOf(folder: string): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.name === '.lock' || !entry.isFile()) continue;
    hash.update(path).update('\0').update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex');
}

async function lastZxidOf(dataDir: string): Promise<bigint> {
  return (await historyOf(placeOf(dataDir, null), silentLogger)).lastZxid;
}

test('recover: looking tells each history, what may be lost, and changes nothing', async () => {
  await inFolder(async (folder) => {
    const [older, newer] = await twoOfFive(folder);
    // the last record is torn, as a crash leaves it: a server would mend that
    const logs = readdirSync(join(newer, 'version-2')).filter((name) => name.startsWith('log.'));
    appendFileSync(join(newer, 'version-2', logs[0] ?? ''), 'torn');
    const before = pictureOf(folder);
    const { code, out, err } = await recover([older, newer, '--show']);
    assert.deepEqual([code, err], [0, '']);
    assert.equal(pictureOf(folder), before);
    const rows = out.split('\n').map((line) => line.split(/ {2,}/));
    assert.deepEqual(rows[1]?.slice(0, 5), ['2', 'participant', '0', '0x4', '5 behind']);
    assert.equal(rows[2]?.[4], 'newest');
    assert.match(out, /^1 .* not given/m);
    assert.match(out, /The newest history left is that of server 4: it ends with 0x9/);
    assert.match(out, /every write after 0x9 that servers 1, 3 and 5 acknowledged/);
  });
});

test('recover: nobody agreed, and nothing is changed', async () => {
  await inFolder(async (folder) => {
    const [older, newer] = await twoOfFive(join(folder, 'data'));
    const before = pictureOf(folder);
    const inPipe = await recover([older, newer]);
    assert.equal(inPipe.code, 1);
    assert.match(inPipe.err, /^nothing was changed; --yes/);
    const answer = join(folder, 'answer');
    writeFileSync(answer, 'yes\n');
    const fd = openSync(answer, 'r');
    const atTerminal = await recover([older, newer], { columns: 80, inputFd: fd });
    closeSync(fd);
    rmSync(answer);
    assert.equal(atTerminal.code, 1);
    assert.match(atTerminal.out, /Type 'recover' to do this: $/);
    assert.equal(pictureOf(folder), before);
  });
});

test('recover: all survivors have the newest history, an epoch of their own, and a backup', async () => {
  await inFolder(async (folder) => {
    const [older, newer] = await twoOfFive(folder);
    const before = pictureOf(join(older, 'version-2'));
    const answer = join(folder, 'answer');
    writeFileSync(answer, 'recover\n');
    const fd = openSync(answer, 'r');
    const { code, out, err } = await recover([older, newer], { columns: 80, inputFd: fd });
    closeSync(fd);
    assert.deepEqual([code, err], [0, '']);
    assert.match(out, /^clients connect to h2:2181,h4:2181$/m);
    for (const dataDir of [older, newer]) {
      assert.equal(await lastZxidOf(dataDir), await lastZxidOf(newer));
      assert.equal(readFileSync(join(dataDir, 'version-2', 'acceptedEpoch'), 'utf8'), '1000');
      const { config } = placeOf(dataDir, null);
      assert.deepEqual([...config.ensemble.servers.keys()], [2, 4]);
      assert.ok(config.ensemble.isDistributed);
      const [backup = ''] = readdirSync(dataDir).filter((name) =>
        name.startsWith('before-recover-'),
      );
      assert.match(backup, /^before-recover-\d{8}-\d{6}$/);
      assert.match(readFileSync(join(dataDir, backup, 'zoo.cfg'), 'utf8'), /^server\.1=/m);
      if (dataDir !== older) continue;
      const kept = join(folder, 'kept');
      mkdirSync(kept);
      // under the name that it had, for the comparison
      rmSync(join(older, 'version-2'), { recursive: true });
      renameSync(join(older, backup, 'version-2'), join(older, 'version-2'));
      assert.equal(pictureOf(join(older, 'version-2')), before);
    }
  });
});

test('recover: logs that lie apart stay apart', async () => {
  await inFolder(async (folder) => {
    const [one, two, twoLogs] = ['one', 'two', 'two-logs'].map((name) => join(folder, name));
    assert.ok(one !== undefined && two !== undefined && twoLogs !== undefined);
    await write(one, 5);
    await write(two, 2, twoLogs);
    asMember(one, 1);
    asMember(two, 2, `dataLogDir=${twoLogs}\n${members()}`);
    const { code, err } = await recover([one, two, '--yes']);
    assert.deepEqual([code, err], [0, '']);
    assert.equal(await lastZxidOf(two), await lastZxidOf(one));
    const names = (path: string): string[] => readdirSync(join(path, 'version-2'));
    assert.ok(names(twoLogs).some((name) => name.startsWith('log.')));
    assert.ok(!names(twoLogs).some((name) => name.startsWith('snapshot.')));
    assert.ok(!names(two).some((name) => name.startsWith('log.')));
  });
});

test('recover: where only an observer is left, it votes', async () => {
  await inFolder(async (folder) => {
    const dataDir = join(folder, 'observer');
    await write(dataDir, 2);
    asMember(dataDir, 5, `peerType=observer\n${members(5)}`);
    const { code, out } = await recover([dataDir, '--yes']);
    assert.equal(code, 0);
    assert.match(out, /None of those left could vote/);
    const { config } = placeOf(dataDir, null);
    assert.equal(config.ensemble.servers.get(5)?.role, 'participant');
    assert.equal(config.ensemble.peerType, 'participant');
    assert.ok(config.ensemble.isDistributed);
  });
});

test('recover: members in a dynamic file get one with a newer version', async () => {
  await inFolder(async (folder) => {
    const dataDir = join(folder, 'data');
    await write(dataDir, 2);
    const dynamic = join(folder, 'zoo.cfg.dynamic.3');
    writeFileSync(dynamic, `${members()}\n`);
    asMember(dataDir, 1, `dynamicConfigFile=${dynamic}`);
    // proposed, and nobody is left to decide about it
    writeFileSync(join(dataDir, 'zoo.cfg.dynamic.next'), members());
    const { code, err } = await recover([dataDir, '--yes']);
    assert.deepEqual([code, err], [0, '']);
    assert.ok(!existsSync(join(dataDir, 'zoo.cfg.dynamic.next')));
    const { config } = placeOf(dataDir, null);
    assert.equal(config.ensemble.dynamicConfigFile, join(folder, 'zoo.cfg.dynamic.4'));
    assert.equal(config.ensemble.version, 4n);
    assert.deepEqual([...config.ensemble.servers.keys()], [1]);
    assert.ok(existsSync(dynamic), 'what was stays');
  });
});

test('recover: what is no case for it is refused', async () => {
  await inFolder(async (folder) => {
    const [older, newer] = await twoOfFive(folder);
    const third = join(folder, 'third');
    cpSync(newer, third, { recursive: true });
    asMember(third, 5);
    const before = pictureOf(folder);
    const refused = async (reason: RegExp, code: number, ...args: string[]): Promise<void> => {
      const outcome = await recover([...args, '--yes']);
      assert.match(outcome.err, reason);
      assert.equal(outcome.code, code);
      assert.equal(outcome.err.trimEnd().split('\n').length, 1);
    };
    await refused(/name what is left/, 2);
    await refused(/there is no such file or folder/, 2, join(folder, 'nowhere'));
    await refused(/servers 2, 4 and 5 of 5 are a quorum: start them/, 2, older, newer, third);
    await refused(/two of the places are of server 4/, 2, newer, newer);
    // one that runs
    const lock = lockDirectoryNow(join(newer, 'version-2'));
    assert.ok('release' in lock);
    await refused(/in use/, 3, newer);
    lock.release();
    assert.equal(pictureOf(folder), before);
    asMember(third, 5, members().replace('server.1=h1', 'server.1=other'));
    await refused(/name different members/, 2, newer, third);
    asMember(third, 9, `clientPort=1\n${members()}`);
    await refused(/there is no server\.9 for its myid/, 2, third);
    asMember(third, 5, 'clientPort=1');
    await refused(/is of a server that is alone/, 2, third);
    rmSync(join(third, 'zoo.cfg'));
    await refused(/has no zoo\.cfg in it.*--config names one/, 2, third);
    asMember(third, 5);
    rmSync(join(third, 'version-2'), { recursive: true });
    await refused(/holds no history/, 2, third);
  });
});

test('recover: a copy of a directory is read where it is, by a configuration from elsewhere', async () => {
  await inFolder(async (folder) => {
    const [, newer] = await twoOfFive(folder);
    const config = join(folder, 'etc.cfg');
    renameSync(join(newer, 'zoo.cfg'), config);
    const { code, err } = await recover([newer, '--config', config, '--yes']);
    assert.deepEqual([code, err], [0, '']);
    assert.match(readFileSync(join(newer, 'zoo.cfg'), 'utf8'), /^server\.4=/m);
    assert.match(readFileSync(config, 'utf8'), /^server\.1=/m, 'the common one is not changed');
  });
});

test('recover: lines of those that are lost become comments', () => {
  const survivors = { sids: new Set([2]), arePromoted: false };
  const text =
    'tickTime=2000\nserver.1=h1:1:2\n server.2 : h2:1:2:observer\nserver.3=h3:\\\n1:2\n' +
    '# server.1=note\ngroup.1=1:2\nweight.1=3\nstandaloneEnabled=true\n';
  assert.equal(
    recoveredConfig(text, survivors, null),
    'tickTime=2000\n# no longer, since zabra recover: server.1=h1:1:2\n server.2 : h2:1:2:observer\n' +
      '# no longer, since zabra recover: server.3=h3:\\\n# no longer, since zabra recover: 1:2\n' +
      '# server.1=note\n# no longer, since zabra recover: group.1=1:2\n' +
      '# no longer, since zabra recover: weight.1=3\n' +
      '# no longer, since zabra recover: standaloneEnabled=true\nstandaloneEnabled=false\n',
  );
  assert.equal(
    recoveredText('server.2=h2:1:2:observer;2181', { ...survivors, arePromoted: true }),
    'server.2=h2:1:2:participant;2181',
  );
  assert.equal(nextDynamicFile('/conf/zoo.cfg.dynamic.1ff', 0x2ffn), '/conf/zoo.cfg.dynamic.300');
  assert.equal(nextDynamicFile('/conf/zoo.cfg.dynamic', 1n), '/conf/zoo.cfg.dynamic.2');
});

test('recover: what an overlay is told to write, only it knows', async () => {
  await inFolder((folder) => {
    const [kept, gone, fresh] = ['kept', 'gone', 'fresh'].map((name) => join(folder, name));
    assert.ok(kept !== undefined && gone !== undefined && fresh !== undefined);
    writeFileSync(kept, 'kept');
    writeFileSync(gone, 'gone');
    const before = pictureOf(folder);
    const disk = new OverlayDisk(new NodeDisk());
    const file = disk.openNow(kept, 'write');
    file.writeNow(new TextEncoder().encode('-more'), 0, 5, 4);
    file.truncateNow(6);
    file.closeNow();
    disk.renameNow(gone, fresh);
    assert.throws(() => disk.openNow(gone, 'read'), { code: 'ENOENT' });
    assert.throws(() => disk.openNow(fresh, 'create'), { code: 'EEXIST' });
    const text = (path: string): string => {
      const bytes = new Uint8Array(16);
      const read = disk.openNow(path, 'read').readNow(bytes, 0, 16, 0);
      return new TextDecoder().decode(bytes.subarray(0, read));
    };
    assert.deepEqual([text(kept), text(fresh), disk.sizeNow(kept)], ['kept-m', 'gone', 6]);
    assert.deepEqual(
      disk
        .listNow(folder)
        .map(({ name }) => name)
        .sort(),
      ['fresh', 'kept'],
    );
    assert.equal(disk.existsNow(gone), false);
    assert.equal(pictureOf(folder), before);
  });
});
