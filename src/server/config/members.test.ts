import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configText } from '../ensemble/config-text.js';
import { dynamicFileText, staticFileText } from './dynamic-files.js';
import { areSameMembers, isAtSamePlace, readMembers, votersOf, type Members } from './members.js';

function membersOf(text: string): Members {
  const reading = readMembers(text);
  assert.ok(reading.ok, reading.ok ? '' : reading.reason);
  return reading.members;
}

const three = [
  'server.1=a:2888:3888:participant;0.0.0.0:2181',
  'server.2=b:2888:3888:participant;0.0.0.0:2181',
  'server.10=c:2888:3888:observer;0.0.0.0:2181',
  'version=100000000',
].join('\n');

test('members are written as they were read, in Apache’s order', () => {
  assert.equal(configText(membersOf(three)), three);
  const backwards = [...three.split('\n')].reverse().join('\n');
  assert.equal(configText(membersOf(backwards)), three);
  assert.deepEqual(votersOf(membersOf(three)), [1, 2]);
});

test('short forms are completed: the role, the address for clients', () => {
  const { servers, version } = membersOf('server.7=h:1:2;3');
  assert.equal(version, 0n);
  assert.equal(
    configText({ ...membersOf('server.7=h:1:2;3'), version: 0x2fn }),
    'server.7=h:1:2:participant;0.0.0.0:3\nversion=2f',
  );
  assert.equal(servers.get(7)?.client?.port, 3);
});

test('groups and weights: who votes has one, said or not', () => {
  const text =
    'server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:observer\n' +
    'group.1=1:2\nweight.1=1\nweight.2=1\nversion=0';
  const half = text.replace('weight.1=1\n', '');
  assert.equal(configText(membersOf(half)), text);
  assert.deepEqual(readMembers('server.1=a:1:2\ngroup.1=2'), {
    ok: false,
    reason: 'server 1 is in no group',
    isMalformed: false,
  });
});

test('what makes no sense is refused as Apache refuses it', () => {
  const told = (text: string): string => {
    const reading = readMembers(text);
    return reading.ok ? 'ok' : reading.isMalformed ? 'malformed' : 'bad';
  };
  assert.equal(told('tickTime=2000'), 'bad');
  assert.equal(told('server.1=host'), 'bad');
  assert.equal(told('server.1=h:1:1'), 'bad');
  assert.equal(told('server.x=h:1:2'), 'malformed');
  assert.equal(told('version=xyz'), 'malformed');
  assert.equal(told('server.1=h:1:2\nweight.1=heavy'), 'malformed');
  assert.equal(told('server.1=h:1:2\ngroup.1=1\ngroup.2=1'), 'bad');
});

test('the same members, whatever the version; the same place, whatever the role', () => {
  const now = membersOf(three);
  assert.equal(areSameMembers(now, membersOf(three.replace('100000000', '5'))), true);
  assert.equal(areSameMembers(now, membersOf(three.replace('observer', 'participant'))), false);
  assert.equal(areSameMembers(now, membersOf(three.replace(';0.0.0.0:2181', ';9999'))), false);
  assert.equal(areSameMembers(now, membersOf(three.split('\n').slice(1).join('\n'))), false);
  const one = now.servers.get(1);
  const moved = membersOf(three.replace('a:2888', 'a:2889')).servers.get(1);
  assert.ok(one !== undefined && moved !== undefined);
  assert.equal(isAtSamePlace(one, { ...one, role: 'observer' }), true);
  assert.equal(isAtSamePlace(one, moved), false);
});

test('dynamic files: sorted lines, the version only while it is proposed', () => {
  const lines = three.split('\n');
  assert.equal(dynamicFileText(three, false), [lines[2], lines[0], lines[1]].join('\n'));
  assert.equal(dynamicFileText(three, true).endsWith('\nversion=100000000'), true);
});

test('zoo.cfg points to the dynamic file instead of naming members', () => {
  const before = [
    '# ours',
    'tickTime=2000',
    'clientPort=2181',
    'clientPortAddress=0.0.0.0',
    'server.1=a:1:2',
    'server.2=\\',
    '  b:1:2',
    'group.1 = 1:2',
    'weight.1=3',
    'peerType=observer',
    'dynamicConfigFile=/old',
    'initLimit=5',
    '',
  ].join('\n');
  assert.equal(
    staticFileText(before, '/etc/zoo.cfg.dynamic.5', true),
    '# ours\ntickTime=2000\ninitLimit=5\ndynamicConfigFile=/etc/zoo.cfg.dynamic.5\n',
  );
  assert.match(
    staticFileText(before, 'C:\\zoo.cfg.dynamic.5', false),
    /^# ours\ntickTime=2000\nclientPort=2181\n.*\ninitLimit=5\ndynamicConfigFile=C:\/zoo/s,
  );
});
