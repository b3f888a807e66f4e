import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestServer } from '../../testing/test-server.js';
import { zabra } from '../shell/shell.fixture.js';
import { adminSightOf } from './admin-sight.js';
import { membersIn } from './members.js';
import { pictureLines, pictureOf } from './picture.js';
import { sightOf, type ServerSight } from './sight.js';

const address = { host: '10.0.0.1', port: 2181 };
const srvr = (mode: string, zxid: string, received: number): string =>
  `Zookeeper version: 3.9.5-x, built on today
Latency min/avg/max: 0/1.5/61
Received: ${received}
Sent: 424
Connections: 2
Outstanding: 1
Zxid: ${zxid}
Mode: ${mode}
Node count: 25
`;
const cons = (received: number): string =>
  ` /10.0.0.9:40000[1](queued=0,recved=${received},sent=9,sid=0x100,lop=GETD,est=1,to=30000,lcxid=0x5,lzxid=0x200000007,lresp=9,llat=0,minlat=0,avglat=2,maxlat=8)
 /10.0.0.8:40001[1](queued=3,recved=7,sent=7,sid=0x101,lop=PING,est=1,to=4000,lcxid=0x0,lzxid=0xffffffffffffffff,lresp=9,llat=0,minlat=0,avglat=0,maxlat=0)
 /10.0.0.7:50000[0](queued=0,recved=1,sent=0)
`;
const refusal = 'mntr is not executed because it is not in the whitelist.';

function sight(host: string, mode: string, zxid: string, received: number): ServerSight {
  const answers = { srvr: srvr(mode, zxid, received), mntr: 'zk_watch_count\t4\n', cons: '' };
  return sightOf({ host, port: 2181 }, answers);
}

test('what a server tells is read, and what it does not is named', () => {
  const seen = sightOf(address, {
    srvr: srvr('follower', '0x200000007', 5),
    mntr: refusal,
    cons: cons(9),
  });
  assert.equal(seen.role, 'follower');
  assert.equal(seen.zxid, 0x200000007n);
  assert.deepEqual(
    [seen.znodes, seen.watches, seen.connections, seen.outstanding],
    [25, null, 2, 1],
  );
  assert.deepEqual(seen.refused, ['mntr']);
  assert.deepEqual(
    seen.sessions.map(({ id, client, lastOperation, lastZxid }) => [
      id,
      client,
      lastOperation,
      lastZxid,
    ]),
    [
      ['0x100', '10.0.0.9:40000', 'GETD', 0x200000007n],
      ['0x101', '10.0.0.8:40001', 'PING', 0xffffffffffffffffn],
    ],
  );
  const nobody = sightOf(address, { srvr: null, mntr: null, cons: null });
  assert.equal(nobody.role, 'silent');
  const looking = 'This ZooKeeper instance is not currently serving requests\n';
  assert.equal(sightOf(address, { srvr: looking, mntr: looking, cons: looking }).role, 'looking');
});

test('a balancer shows the set of its servers', () => {
  const seen = sightOf(address, {
    srvr:
      'Zookeeper version: 3.9.5-x, built on today\nMode: balancer\nPolicy: auto\n' +
      'Subset: rw (rw, local): 1 awake\nServer a:2181: awake, leader, sessions 3\n',
    mntr: 'zk_server_state\tbalancer\nzk_num_alive_connections\t3\n',
    cons: ' /10.0.0.9:40000[1](queued=0,recved=9,sid=0x100,to=30000,watches=1,state=open,server=a:1)\n',
  });
  assert.deepEqual([seen.role, seen.connections, seen.sessions[0]?.id], ['balancer', 3, '0x100']);
  const lines = pictureLines(pictureOf([seen], null, 0, null), 10);
  assert.deepEqual(lines.slice(-4), [
    'behind 10.0.0.1:2181',
    '  Policy: auto',
    '  Subset: rw (rw, local): 1 awake',
    '  Server a:2181: awake, leader, sessions 3',
  ]);
});

test('the AdminServer tells the same, with ids as they are', () => {
  const connections = `{"connections": [{"remote_socket_address": "/10.0.0.9:40000",
    "outstanding_requests": 2, "packets_received": 9, "session_id": 72057594037927937,
    "last_operation": "GETD", "session_timeout": 30000, "last_zxid": -1, "avg_latency": 1,
    "max_latency": 4}, {"remote_socket_address": "/10.0.0.7:50000", "session_id": 0}],
    "secure_connections": []}`;
  assert.deepEqual(adminSightOf('{"watch_count": 3, "znode_count": 5}', connections), {
    watches: 3,
    sessions: [
      {
        id: '0x100000000000001',
        client: '10.0.0.9:40000',
        timeoutMs: 30_000,
        lastOperation: 'GETD',
        received: 9,
        outstanding: 2,
        latencyMs: { average: 1, max: 4 },
        lastZxid: 0xffffffffffffffffn,
      },
    ],
  });
});

test('members are found in the configuration, observers are no voters', () => {
  const config = `server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181
server.2=[::1]:2888:3888:participant;2182
server.3=c:2888:3888|d:2888:3888:observer;10.1.0.3:2183
version=100000000`;
  assert.deepEqual(membersIn(config, 2181), {
    voters: 2,
    servers: [
      { host: '10.0.0.1', port: 2181 },
      { host: '::1', port: 2182 },
      { host: '10.1.0.3', port: 2183 },
    ],
  });
  const spread = 'server.1=a:2888:3888\nserver.2=b:2888:3888:observer\nversion=0';
  assert.deepEqual(membersIn(spread, 2199), {
    voters: 1,
    servers: [
      { host: 'a', port: 2199 },
      { host: 'b', port: 2199 },
    ],
  });
  const together = 'server.1=a:2888:3888\nserver.2=a:2889:3889\nversion=0';
  assert.deepEqual(membersIn(together, 2199), { voters: 2, servers: [] });
  assert.equal(membersIn('', 2181), null);
});

test('rates come from two looks; the lines say how many more may fail', () => {
  const before = [
    sight('a', 'leader', '0x200000001', 100),
    sight('b', 'follower', '0x200000001', 10),
  ];
  const nowA = sightOf(
    { host: 'a', port: 2181 },
    { srvr: srvr('leader', '0x200000009', 300), mntr: '', cons: cons(29) },
  );
  const earlierA = {
    ...before[0],
    sessions: sightOf(address, { srvr: '', mntr: '', cons: cons(9) }).sessions,
  };
  const now = [
    nowA,
    sight('b', 'follower', '0x200000007', 10),
    sightOf({ host: 'c', port: 2181 }, { srvr: null, mntr: null, cons: null }),
  ];
  const picture = pictureOf(now, [earlierA as ServerSight, ...before.slice(1)], 2000, 3);
  assert.deepEqual(
    picture.servers.map(({ perSecond }) => perSecond),
    [100, 0, null],
  );
  assert.deepEqual(
    picture.sessions.map(({ perSecond }) => perSecond),
    [10, 0],
  );
  const lines = pictureLines(picture, 1);
  assert.equal(
    lines[0],
    '2 of 3 voters serve, a quorum is 2: none may fail now; 25 znodes, 100 requests/s',
  );
  assert.match(lines[3] ?? '', /^a:2181 {2}leader +0x200000009 {2}0 +2 +100 +1\.5\/61 ms {2}1 +-$/);
  assert.match(lines[4] ?? '', /^b:2181 {2}follower {2}0x200000007 {2}2 /);
  assert.equal(lines[5], 'c:2181  silent');
  assert.match(lines[8] ?? '', /^0x100 {4}10\.0\.0\.9:40000 {2}a:2181 {2}10 {5}GETD/);
  assert.equal(lines[9], 'and 1 more');
  const one = pictureOf(now.slice(0, 1), null, 0, 3);
  assert.equal(
    pictureLines(one, 0)[0],
    '1 of 1 serve, of an ensemble of 3 voters; 25 znodes, 0 requests/s',
  );
});

test('zabra top, against a server, in a pipe', async () => {
  await using server = await TestServer.start();
  const text = await zabra(['top', server.connectString, '--count', '1', '--admin-port', '1']);
  assert.equal(text.code, 0);
  assert.match(text.out, /^standalone: \d+ znodes, 0 requests\/s\n\nserver +role +zxid/);
  const json = await zabra(['top', server.connectString, '--count', '1', '--json', '--only']);
  const { servers } = JSON.parse(json.out) as { servers: { role: string }[] };
  assert.deepEqual(
    servers.map(({ role }) => role),
    ['standalone'],
  );
  assert.equal((await zabra(['top', 'nohost'])).code, 2);
});
