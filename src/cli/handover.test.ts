import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { zabra } from './shell/shell.fixture.js';

test('handover: 0 when another server leads, 1 when it is the same one again or not the one asked for', async (t) => {
  let leader = 2;
  const server = createServer((request, response) => {
    const isQuestion = request.url?.startsWith('/commands/leader') === true;
    const who = { is_leader: true, leader_id: 1, leader_ip: '127.0.0.1', error: null };
    const done = { leader_id_before: 1, leader_id: leader, gap_ms: 12.5, error: null };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(isQuestion ? who : done));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const moved = await zabra(['handover', '--server', at]);
  assert.equal(moved.code, 0);
  assert.match(moved.out, /^server 2 leads now; clients waited 12\.5 ms$/m);
  assert.equal((await zabra(['handover', '--to', '2', '--server', at])).code, 0);
  const elsewhere = await zabra(['handover', '--to', '3', '--server', at]);
  assert.equal(elsewhere.code, 1);
  assert.match(elsewhere.err, /server 2 leads now and not server 3: it came to an election/);
  leader = 1;
  const stayed = await zabra(['handover', '--server', at]);
  assert.equal(stayed.code, 1);
  assert.match(stayed.err, /server 1 was elected again/);
});
