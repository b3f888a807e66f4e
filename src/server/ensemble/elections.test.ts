import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notificationVersion, type Notification } from '../../protocol/peer/notification.js';
import { SeededRandom } from '../../base/random.js';
import { Timeline } from '../../sim/clock.js';
import { SimProcess } from '../../sim/process.js';
import { majorityQuorum } from '../../zab/quorum.js';
import { Elections } from './elections.js';

function looking(leader: bigint, electionEpoch: bigint): Notification {
  const vote = { leader, zxid: 7n, peerEpoch: 1n, electionEpoch };
  return { ...vote, state: 'looking', version: notificationVersion, config: '' };
}

test('who has led says nothing to those who look for a leader, until it looks for one itself', () => {
  const process = new SimProcess(
    's3',
    new Timeline(),
    new SeededRandom(1),
    { wakeMs: 0, spendMs: 0 },
    0,
  );
  const said: string[] = [];
  const quorum = majorityQuorum([1, 2, 3], 0n);
  const elections = new Elections(
    {
      sid: 3,
      learnerRole: () => 'following',
      quorums: () => [quorum],
      configText: () => '',
      configVersionOf: () => null,
    },
    {
      clock: process.clock,
      make: undefined,
      send: (to, { state }) => {
        said.push(`${to} ${state}`);
      },
      onTurn: () => undefined,
    },
  );
  const heard = (): string[] => said.splice(0);
  const own = { zxid: 7n, peerEpoch: 1 };
  elections.begin(own);
  for (const sid of [1, 2]) elections.onConnected(sid);
  for (const sid of [1, 2]) elections.onMessage(sid, looking(3n, 1n));
  assert.equal(elections.outcome?.role, 'leading');
  heard();
  elections.onMessage(1, looking(1n, 2n));
  assert.deepEqual(heard(), ['1 leading']);
  assert.equal(elections.word()?.state, 'leading');

  elections.fallSilent();
  elections.onMessage(2, looking(2n, 2n));
  assert.deepEqual(heard(), []);
  assert.equal(elections.word(), null);

  elections.begin(own);
  elections.pump();
  assert.deepEqual(heard().sort(), ['1 looking', '2 looking']);
  assert.equal(elections.word()?.state, 'looking');
  elections.close();
});
