import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorName } from '../../protocol/errors.js';
import type { ReconfigRequest } from '../../protocol/records.js';
import { readMembers, votersOf, type Members } from '../config/members.js';
import { configText } from './config-text.js';
import { nextMembers, type ReconfigState } from './reconfiguration.js';

const line = (sid: number, role = 'participant'): string =>
  `server.${sid}=10.0.0.${sid}:2888:3888:${role};10.0.0.${sid}:2181`;

function members(...lines: string[]): Members {
  const reading = readMembers(lines.join('\n'));
  assert.ok(reading.ok);
  return reading.members;
}

const state: ReconfigState = {
  lastSeen: members(line(1), line(2), line(3), 'version=100000005'),
  isPending: false,
  standaloneEnabled: true,
  multiAddressEnabled: false,
  hasQuorumOf: () => true,
};
const nothing: ReconfigRequest = {
  joiningServers: null,
  leavingServers: null,
  newMembers: null,
  curConfigId: -1n,
};

/** The new configuration as text, or the error's name. */
function outcome(request: Partial<ReconfigRequest>, given: Partial<ReconfigState> = {}): string {
  const next = nextMembers({ ...nothing, ...request }, { ...state, ...given }, 0x100000009n);
  return next.ok ? configText(next.members) : errorName(next.error);
}

test('servers join and leave; the version is the transaction’s zxid', () => {
  assert.equal(
    outcome({ joiningServers: line(4, 'observer'), leavingServers: '2' }),
    [line(1), line(3), line(4, 'observer'), 'version=100000009'].join('\n'),
  );
  assert.equal(
    outcome({ joiningServers: line(3, 'observer') }),
    [line(1), line(2), line(3, 'observer'), 'version=100000009'].join('\n'),
  );
});

test('all members at once, by commas or by lines', () => {
  const wanted = [line(1), line(5), 'version=100000009'].join('\n');
  assert.equal(outcome({ newMembers: `${line(1)},${line(5)}` }), wanted);
  assert.equal(outcome({ newMembers: `${line(1)}\n${line(5)}` }), wanted);
});

test('one at a time, and only from the version that is meant', () => {
  const isPending = true;
  assert.equal(outcome({ curConfigId: 7n }, { isPending }), 'RECONFIGINPROGRESS');
  assert.equal(outcome({ curConfigId: 7n, newMembers: 'nonsense' }), 'BADVERSION');
  assert.match(outcome({ curConfigId: 0x100000005n }), /^server\.1=/);
});

test('what nobody can be joined by is told before who would agree', () => {
  const hasQuorumOf = (): boolean => false;
  for (const joiningServers of [
    'server.4',
    'server.4=h:1:2',
    'server.4=h:1:1;3',
    'server.4=h:1:2:king;3',
    'server.300=h:1:2;3',
    'server.4=h:1:2|g:1:2;3',
    line(4).replaceAll('10.0.0.4', '10.0.0.3'),
  ]) {
    assert.equal(outcome({ joiningServers }, { hasQuorumOf }), 'BADARGUMENTS', joiningServers);
  }
  assert.equal(outcome({ joiningServers: 'server.x=h:1:2;3' }), 'MARSHALLINGERROR');
  assert.equal(outcome({ leavingServers: 'two' }), 'MARSHALLINGERROR');
  assert.equal(outcome({ newMembers: 'tickTime=1' }), 'BADARGUMENTS');
  assert.equal(outcome({ newMembers: line(1, 'observer') }), 'MARSHALLINGERROR');
  assert.equal(outcome({ leavingServers: '1' }, { hasQuorumOf }), 'NEWCONFIGNOQUORUM');
});

test('how few may be left depends on whether one alone would be an ensemble', () => {
  assert.equal(outcome({ leavingServers: '2,3' }), 'BADARGUMENTS');
  assert.match(outcome({ leavingServers: '2,3' }, { standaloneEnabled: false }), /^server\.1=/);
  assert.equal(outcome({ leavingServers: '1,2,3' }, { standaloneEnabled: false }), 'BADARGUMENTS');
});

test('several addresses only where they are enabled', () => {
  const joiningServers = 'server.4=h:1:2|g:1:2;3';
  assert.match(
    outcome({ joiningServers }, { multiAddressEnabled: true }),
    /^server\.4=g:1:2\|h:1:2:participant;0\.0\.0\.0:3$/m,
  );
});

test('with groups nobody knows where a joiner belongs', () => {
  const lastSeen = members(line(1), line(2), 'group.1=1:2');
  assert.equal(outcome({ joiningServers: line(3) }, { lastSeen }), 'BADARGUMENTS');
  const newMembers = [line(1), line(2), line(3), 'group.1=1:2:3'].join('\n');
  assert.match(outcome({ newMembers }, { lastSeen }), /^group\.1=1:2:3$/m);
});

test('the quorum that is asked for is the new one’s', () => {
  const asked: number[][] = [];
  const hasQuorumOf = (next: Members): boolean => asked.push(votersOf(next)) > 0;
  outcome({ joiningServers: line(4), leavingServers: '1' }, { hasQuorumOf });
  assert.deepEqual(asked, [[2, 3, 4]]);
});
