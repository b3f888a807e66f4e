/** The four-letter words: layout and figures. */
import { connect } from 'node:net';
import { equal, ok, that } from '../check.js';
import { group, type Trial } from '../suite.js';
import { flags } from '../../support/requests.js';
import type { TestClient } from '../../support/test-client.js';
import { percentileKeys, plainKeys, summaryKeys } from './mntr-keys.js';
import { addWatchMode } from './watch-words.js';

/** Each line of `text` must match its pattern; `*` in the list repeats the pattern before it. */
function matches(text: string, patterns: readonly RegExp[], what: string): void {
  const lines = text.split('\n');
  for (const [index, pattern] of patterns.entries()) {
    const line = lines[index] ?? '(no more lines)';
    that(pattern.test(line), `${what}, line ${index + 1}: expected ${pattern}, saw ${line}`);
  }
  equal(lines.slice(patterns.length), [], `${what}: lines too many`);
}

const sessionHex = (client: TestClient): string =>
  `0x${BigInt.asUintN(64, client.session.sessionId).toString(16)}`;

const versionLine = /^Zookeeper version: 3\.\d+\.\d+\S*, built on \S+ \S+ UTC$/;
const statistics = (t: Trial): RegExp[] => [
  /^Latency min\/avg\/max: \d+\/[\d.]+\/\d+$/,
  /^Received: \d+$/,
  /^Sent: \d+$/,
  /^Connections: \d+$/,
  /^Outstanding: \d+$/,
  /^Zxid: 0x[0-9a-f]+$/,
  new RegExp(`^Mode: ${t.target.mode}$`),
  /^Node count: \d+$/,
  ...(t.target.mode === 'leader' ? [/^Proposal sizes last\/min\/max: \d+\/\d+\/\d+$/] : []),
  /^$/,
];

/** Behind what every server's `conf` has; it ends without a newline. */
function memberLines({ target: { mode } }: Trial): RegExp[] {
  if (mode === 'standalone') return [/^$/];
  const servers = mode === 'observer' ? 4 : 3;
  const server = /^server\.\d=127\.0\.0\.1:\d+:\d+:(participant|observer)$/;
  return [
    ...[/^initLimit=10$/, /^syncLimit=5$/, /^electionAlg=3$/],
    ...[/^electionPort=\d+$/, /^quorumPort=\d+$/],
    mode === 'observer' ? /^peerType=1$/ : /^peerType=0$/,
    /^membership: $/,
    ...Array.from({ length: servers }, () => server),
    /^version=0$/,
  ];
}
const summaryPrefixes = ['avg', 'min', 'max', 'cnt', 'sum'];
const percentilePrefixes = [...summaryPrefixes, 'p50', 'p95', 'p99', 'p999'];

async function monitored(text: Promise<string>): Promise<Map<string, string>> {
  const lines = (await text).split('\n').filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const [key = '', value = '', ...more] = line.split('\t');
      that(more.length === 0, `two tabs in ${line}`);
      return [key, value];
    }),
  );
}

const version39 = { since: [3, 9, 0] as [number, number, number], why: 'layout of 3.9' };

export const fourLetterCases = group('four-letter words', {}, (test) => {
  test('ruok, isro', async (t) => {
    equal(await t.fourLetter('ruok'), 'imok', 'ruok');
    equal(await t.fourLetter('isro'), 'rw', 'isro');
  });

  test('conf', async (t) => {
    const dir = t.server.dataDir.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    matches(
      await t.fourLetter('conf'),
      [
        new RegExp(`^clientPort=${t.server.port}$`),
        /^secureClientPort=-1$/,
        new RegExp(`^dataDir=${dir}/version-2$`),
        /^dataDirSize=\d+$/,
        new RegExp(`^dataLogDir=${dir}/version-2$`),
        /^dataLogSize=\d+$/,
        /^tickTime=200$/,
        /^maxClientCnxns=60$/,
        /^minSessionTimeout=400$/,
        /^maxSessionTimeout=60000$/,
        /^clientPortListenBacklog=-1$/,
        new RegExp(`^serverId=${t.target.mode === 'standalone' ? 0 : t.target.sid}$`),
        ...memberLines(t),
      ],
      'conf',
    );
  });

  test('srvr', async (t) => {
    matches(await t.fourLetter('srvr'), [versionLine, ...statistics(t)], 'srvr');
  });

  test('srvr: zxid and number of znodes', async (t) => {
    const client = await t.connect();
    const count = async (): Promise<number> =>
      Number(/Node count: (\d+)/.exec(await t.fourLetter('srvr'))?.[1]);
    const before = await count();
    const made = await client.create(`${t.path}/a`);
    equal(await count(), before + 1, 'node count');
    const zxid = /Zxid: (\S+)/.exec(await t.fourLetter('srvr'))?.[1];
    equal(zxid, `0x${made.zxid.toString(16)}`, 'zxid');
  });

  test('srvr: packets and connections', async (t) => {
    const client = await t.connect();
    const figure = async (name: string): Promise<number> =>
      Number(new RegExp(`${name}: (\\d+)`).exec(await t.fourLetter('srvr'))?.[1]);
    await client.ping();
    const received = await figure('Received');
    const sent = await figure('Sent');
    for (let count = 0; count < 10; count += 1) await client.exists(t.path);
    that((await figure('Received')) >= received + 10, 'ten more received');
    that((await figure('Sent')) >= sent + 10, 'ten more sent');
    const connections = await figure('Connections');
    await t.connect();
    equal(await figure('Connections'), connections + 1, 'connections');
  });

  test('stat', async (t) => {
    await t.connect();
    const lines = (await t.fourLetter('stat')).split('\n');
    that(versionLine.test(lines[0] ?? ''), `version: ${lines[0]}`);
    equal(lines[1], 'Clients:', 'the second line');
    const clients = lines.slice(2, lines.indexOf(''));
    for (const line of clients) {
      that(
        /^ \/127\.0\.0\.1:\d+\[[01]\]\(queued=\d+,recved=\d+,sent=\d+\)$/.test(line),
        `client: ${line}`,
      );
    }
    that(clients.length >= 2, 'this connection and the session');
    matches(lines.slice(lines.indexOf('') + 1).join('\n'), statistics(t), 'stat');
  });

  test('cons', async (t) => {
    const client = await t.connect();
    ok(await client.create(`${t.path}/a`));
    ok(await client.exists(`${t.path}/a`));
    const text = await t.fourLetter('cons');
    const own = text.split('\n').find((line) => line.includes(`sid=${sessionHex(client)}`)) ?? '';
    const pattern =
      /^ \/127\.0\.0\.1:\d+\[1\]\(queued=0,recved=3,sent=3,sid=0x[0-9a-f]+,lop=EXIS,est=\d{13},to=30000,lcxid=0x2,lzxid=0x[0-9a-f]+,lresp=\d+,llat=\d+,minlat=\d+,avglat=\d+,maxlat=\d+\)$/;
    that(pattern.test(own), `line of the session: ${own}`);
    that(/^ \/127\.0\.0\.1:\d+\[0\]\(queued=0,recved=1,sent=0\)$/m.test(text), 'its own line');
    that(text.endsWith('\n\n'), 'an empty line at the end');
  });

  test('cons: the names of last ops', async (t) => {
    const client = await t.connect();
    const lastOp = async (): Promise<string | undefined> => {
      const lines = (await t.fourLetter('cons')).split('\n');
      const own = lines.find((line) => line.includes(`sid=${sessionHex(client)}`));
      return /lop=([A-Z0-9]+)/.exec(own ?? '')?.[1];
    };
    const ops: [string, () => Promise<unknown>][] = [
      ['PING', async () => client.ping()],
      ['CREA', async () => client.create(`${t.path}/a`)],
      ['DELE', async () => client.delete(`${t.path}/a`)],
      ['EXIS', async () => client.exists(t.path)],
      ['GETD', async () => client.getData(t.path)],
      ['SETD', async () => client.setData(t.path, 'x')],
      ['GETA', async () => client.getAcl(t.path)],
      ['SETA', async () => client.setAcl(t.path)],
      ['GETC', async () => client.getChildren2(t.path)],
      ['SYNC', async () => client.sync(t.path)],
      ['MULT', async () => client.multi([])],
      ['MLTR', async () => client.multiRead([])],
      ['SETW', async () => client.setWatches(0n, {})],
      ['STW2', async () => client.setWatches2(0n, {})],
      ['ADDW', async () => client.addWatch(t.path, addWatchMode.persistent)],
      ['CHKW', async () => client.checkWatches(t.path, 3)],
      ['REMW', async () => client.removeWatches(t.path, 3)],
      ['GETE', async () => client.getEphemerals('/')],
      ['GETACN', async () => client.getAllChildrenNumber(t.path)],
      ['HOMI', async () => client.whoAmI()],
    ];
    for (const [name, run] of ops) {
      await run();
      equal(await lastOp(), name, 'lop');
    }
  });

  test('crst and srst', async (t) => {
    const client = await t.connect();
    await client.ping();
    equal(await t.fourLetter('crst'), 'Connection stats reset.\n', 'crst');
    const own = (await t.fourLetter('cons'))
      .split('\n')
      .find((line) => line.includes(`sid=${sessionHex(client)}`));
    that(own?.includes('recved=0,sent=0,') === true, `after crst: ${own}`);
    equal(await t.fourLetter('srst'), 'Server stats reset.\n', 'srst');
    that(/^Received: [12]$/m.test(await t.fourLetter('srvr')), 'Received after srst');
  });

  test('dirs', async (t) => {
    matches(
      await t.fourLetter('dirs'),
      [/^datadir_size: \d+$/, /^logdir_size: \d+$/, /^$/],
      'dirs',
    );
  });

  test('dump', async (t) => {
    const client = await t.connect();
    for (const name of ['e1', 'e2']) {
      ok(await client.create(`${t.path}/${name}`, { flags: flags.ephemeral }));
    }
    const lines = (await t.fourLetter('dump')).split('\n');
    equal(lines[0], 'SessionTracker dump:', 'line 1');
    // a learner knows of sessions, and the leader judges them
    const isLearner = t.target.mode === 'follower' || t.target.mode === 'observer';
    const sets = isLearner ? /^Global Sessions\(\d+\):$/ : /^Session Sets \(\d+\)\/\(\d+\):$/;
    that(sets.test(lines[1] ?? ''), `line 2: ${lines[1]}`);
    that(
      lines.some((line) => /^\d+ expire at \w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}:$/.test(line)),
      'a bucket with its time',
    );
    const own = isLearner ? `${sessionHex(client)}\t30000ms` : `\t${sessionHex(client)}`;
    that(lines.includes(own), 'the session');
    const at = lines.indexOf('ephemeral nodes dump:');
    that(at > 0, 'ephemeral nodes dump:');
    that(/^Sessions with Ephemerals \(\d+\):$/.test(lines[at + 1] ?? ''), `${lines[at + 1]}`);
    const owner = lines.indexOf(`${sessionHex(client)}:`, at);
    that(owner > 0, 'the owner of ephemerals');
    equal(
      lines.slice(owner + 1, owner + 3).sort(),
      [`\t${t.path}/e1`, `\t${t.path}/e2`],
      'its ephemerals',
    );
    const connections = lines.indexOf('Connections dump:');
    that(connections > at, 'Connections dump:');
    that(
      /^Connections Sets \(\d+\)\/\(\d+\):$/.test(lines[connections + 1] ?? ''),
      `${lines[connections + 1]}`,
    );
    that(
      lines.some((line) =>
        new RegExp(`^\\tip: /127\\.0\\.0\\.1:\\d+ sessionId: ${sessionHex(client)}$`).test(line),
      ),
      'the connection of the session',
    );
  });

  test('envi', async (t) => {
    const text = await t.fourLetter('envi');
    const lines = text.split('\n');
    equal(lines[0], 'Environment:', 'the first line');
    const keys = lines
      .slice(1)
      .filter((line) => line !== '')
      .map((line) => line.split('=')[0]);
    const all = ['zookeeper.version', 'host.name', 'java.version', 'java.vendor', 'java.home'];
    all.push('java.class.path', 'java.library.path', 'java.io.tmpdir', 'java.compiler');
    all.push('os.name', 'os.arch', 'os.version', 'user.name', 'user.home', 'user.dir');
    all.push('os.memory.free', 'os.memory.max', 'os.memory.total');
    equal(keys, all, 'keys');
  });

  test('gtmk', async (t) => {
    equal(await t.fourLetter('gtmk'), '306', 'mask');
  });

  test('stmk: eight bytes more', async (t) => {
    const set = async (mask: number): Promise<string> =>
      t.fourLetter(`stmk${'\0'.repeat(6)}${String.fromCharCode(mask >> 8, mask & 255)}`);
    equal(await set(256), '256', 'answer');
    equal(await t.fourLetter('gtmk'), '256', 'mask');
    equal(await set(306), '306', 'answer');
  });

  test('wchs, wchc, wchp', async (t) => {
    const client = await t.connect();
    ok(await client.getData(t.path, true));
    ok(await client.getChildren(t.path, true));
    ok(await client.exists(`${t.path}/no`, true).then((reply) => ({ ...reply, err: 0, value: 1 })));
    ok(await client.addWatch(`${t.path}/p`, addWatchMode.recursive));
    const id = sessionHex(client);
    const watched = await t.fourLetter('wchc');
    const own = watched.slice(watched.indexOf(`${id}\n`)).split('\n');
    equal(
      own.slice(1, 4).sort(),
      [`\t${t.path}`, `\t${t.path}/no`, `\t${t.path}/p`],
      'wchc: data watches of the session',
    );
    that(watched.endsWith('\n\n'), 'wchc ends with an empty line');
    const paths = (await t.fourLetter('wchp')).split('\n');
    const at = paths.indexOf(t.path);
    that(at >= 0, 'wchp: the path');
    equal(paths[at + 1], `\t${id}`, 'wchp: the session');
    matches(
      await t.fourLetter('wchs'),
      [/^\d+ connections watching \d+ paths$/, /^Total watches:\d+$/, /^$/],
      'wchs',
    );
  });

  test(
    'mntr: the keys',
    async (t) => {
      const seen = await monitored(t.fourLetter('mntr'));
      const expected = [
        ...plainKeys,
        ...summaryKeys.flatMap((key) => summaryPrefixes.map((prefix) => `${prefix}_${key}`)),
        ...percentileKeys.flatMap((key) => percentilePrefixes.map((prefix) => `${prefix}_${key}`)),
      ];
      const missing = expected.filter((key) => !seen.has(`zk_${key}`));
      equal(missing, [], 'keys that are missing');
      for (const [key, value] of seen) {
        that(/^zk_[a-z0-9_-]+$/i.test(key), `key ${key}`);
        that(value !== '', `value of ${key}`);
      }
    },
    version39,
  );

  test(
    'mntr: figures that follow what happens',
    async (t) => {
      const client = await t.connect();
      const before = await monitored(t.fourLetter('mntr'));
      const figure = (from: Map<string, string>, key: string): number =>
        Number(from.get(`zk_${key}`));
      ok(await client.create(`${t.path}/a`, { data: '12345' }));
      ok(await client.create(`${t.path}/e`, { flags: flags.ephemeral }));
      ok(await client.getData(`${t.path}/a`, true));
      const after = await monitored(t.fourLetter('mntr'));
      const moved = (key: string): number => figure(after, key) - figure(before, key);
      equal(moved('znode_count'), 2, 'znode_count');
      equal(moved('ephemerals_count'), 1, 'ephemerals_count');
      equal(moved('watch_count'), 1, 'watch_count');
      equal(
        moved('approximate_data_size'),
        `${t.path}/a`.length + 5 + `${t.path}/e`.length,
        'approximate_data_size',
      );
      equal(moved('packets_received') >= 3, true, 'packets_received');
      equal(after.get('zk_server_state'), t.target.mode, 'server_state');
      that(/^3\.9\./.test(after.get('zk_version') ?? ''), `version ${after.get('zk_version')}`);
      that(figure(after, 'open_file_descriptor_count') > 0, 'open_file_descriptor_count');
      that(figure(after, 'uptime') > 0, 'uptime');
    },
    version39,
  );

  test(
    'hash: a digest at every 128th zxid',
    async (t) => {
      const client = await t.connect();
      for (let count = 0; count < 130; count += 1) ok(await client.setData(t.path, String(count)));
      const lines = (await t.fourLetter('hash')).split('\n').filter((line) => line !== '');
      that(lines.length > 0, 'a line');
      for (const line of lines) {
        const zxid = /^([0-9a-f]+): -?\d+$/.exec(line)?.[1];
        that(zxid !== undefined, `layout: ${line}`);
        equal(Number.parseInt(zxid, 16) % 128, 0, `zxid of ${line}`);
      }
    },
    version39,
  );

  test('words that nobody knows are lengths of frames', async (t) => {
    for (const word of ['abcd', 'RUOK', 'ruo\n', 'GET ']) {
      equal(await t.fourLetter(word), '', word);
    }
  });

  test('a newline behind the word does not matter', async (t) => {
    equal(await t.fourLetter('ruok\n'), 'imok', 'ruok');
    equal(await t.fourLetter('ruok\r\n'), 'imok', 'ruok');
  });

  test('a word in pieces', async (t) => {
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(t.server.port, t.server.host);
      socket.setNoDelay(true);
      let seen = '';
      socket.on('data', (chunk) => (seen += chunk.toString()));
      socket.on('error', reject);
      socket.on('close', () => {
        resolve(seen);
      });
      socket.write('r');
      setImmediate(() => socket.write('uo'));
      setTimeout(() => socket.write('k'), 50);
    });
    equal(text, 'imok', 'answer');
  });

  test('a word on a connection with a session is a length', async (t) => {
    const client = await t.connect();
    client.sendBytes(new TextEncoder().encode('ruok'));
    await client.untilClosed();
  });

  test('telnet closing (0xfff4fffd)', async (t) => {
    const client = await t.open();
    client.sendBytes(new Uint8Array([0xff, 0xf4, 0xff, 0xfd]));
    await client.untilClosed();
  });
});

export const whitelistCases = group(
  'four-letter words, default whitelist',
  { config: { '4lw.commands.whitelist': null } },
  (test) => {
    test('only srvr', async (t) => {
      that((await t.fourLetter('srvr')).startsWith('Zookeeper version'), 'srvr');
      for (const word of ['ruok', 'stat', 'mntr', 'conf', 'isro', 'wchc']) {
        equal(
          await t.fourLetter(word),
          `${word} is not executed because it is not in the whitelist.\n`,
          word,
        );
      }
    });
  },
);

export const ownWhitelistCases = group(
  'four-letter words, own whitelist',
  { config: { '4lw.commands.whitelist': 'stat, ruok,  srvr' } },
  (test) => {
    test('those named', async (t) => {
      equal(await t.fourLetter('ruok'), 'imok', 'ruok');
      that((await t.fourLetter('stat')).includes(`Mode: ${t.target.mode}`), 'stat');
      that((await t.fourLetter('mntr')).includes('not in the whitelist'), 'mntr');
    });
  },
);
