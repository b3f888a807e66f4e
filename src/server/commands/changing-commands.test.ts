import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChangingCommand, type ChangingRequest } from './changing-commands.js';
import { memberFixture } from './ensemble.fixture.js';
import { writeJson } from './json.js';
import { FixtureView } from './view.fixture.js';

async function ask(
  given: Partial<ChangingRequest> & { readonly to?: string },
  view = memberFixture('leader'),
): Promise<readonly [number, unknown]> {
  const { to, ...request } = given;
  const params = new Map(to === undefined ? [] : [['to', to]]);
  const asked: ChangingRequest = {
    ...{ method: 'POST', authorization: 'digest super:secret', remoteAddress: '10.0.0.7' },
    ...{ params, ...request },
  };
  const done = await runChangingCommand('handover', asked, view);
  assert.ok(done !== null);
  return [done.status, JSON.parse([...writeJson(done.body)].join(''))];
}

test('a hand-over says who led, who leads, and how long nobody was served', async () => {
  const fields = { leader_id_before: 3, leader_ip_before: '127.0.0.1', command: 'handover' };
  const after = (leader_id: number): unknown => ({
    ...{ ...fields, leader_id, gap_ms: 7.3, error: null },
  });
  assert.deepEqual(await ask({}), [200, after(2)]);
  assert.deepEqual(await ask({ to: '1' }), [200, after(1)]);
  assert.deepEqual(await ask({ to: '4' }), [409, { ...fields, error: 'server 4 is an observer' }]);
  assert.deepEqual(await ask({}, memberFixture('follower')), [
    409,
    { ...fields, error: 'server 3 leads' },
  ]);
});

test('who asks must show who he is, and that he may', async () => {
  const status = async (authorization: string | null): Promise<number> =>
    (await ask({ authorization }))[0];
  assert.equal(await status(null), 401);
  assert.equal(await status('digest super:wrong'), 403);
  assert.equal(await status('ip'), 403);
  assert.equal(await status('digest'), 401);
  assert.equal(await status('digest super:secret and more'), 401);
  assert.equal(await status('Basic abc'), 401);
});

test('it is a POST to a member of an ensemble that serves', async () => {
  assert.equal((await ask({ method: 'GET' }))[0], 405);
  assert.equal((await ask({ to: 'c' }))[0], 400);
  assert.equal((await ask({}, new FixtureView('idle')))[0], 409);
  const idle = memberFixture('leader');
  idle.isServing = false;
  assert.equal((await ask({}, idle))[0], 503);
});

test('other names are not its business', () => {
  const request: ChangingRequest = {
    ...{ method: 'POST', params: new Map(), authorization: null, remoteAddress: '::1' },
  };
  assert.equal(runChangingCommand('ruok', request, new FixtureView('idle')), null);
});
