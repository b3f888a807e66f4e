import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../ports/logger.js';
import { readMembers, type Members } from '../config/members.js';
import { ConfigKeeper } from './config-keeper.js';
import { Membership, type ConfigStore } from './membership.js';

function membersOf(sids: readonly number[], version: number): Members {
  const lines = sids.map((sid) => `server.${sid}=10.0.0.${sid}:2888:3888;10.0.0.${sid}:2181`);
  const reading = readMembers([...lines, `version=${version.toString(16)}`].join('\n'));
  assert.ok(reading.ok);
  return reading.members;
}

/** Server 3's, which is told of one configuration after the other. */
async function disk(comesBack: boolean, told: readonly Members[]): Promise<string[]> {
  const written: string[] = [];
  const note = (where: string, text: string | null): Promise<void> => {
    const sids = [...(text ?? '').matchAll(/^server\.(\d)/gm)].map(([, sid]) => sid);
    written.push(`${where} ${text === null ? 'none' : sids.join('')}`);
    return Promise.resolve();
  };
  const store: ConfigStore = {
    load: () => Promise.resolve({ inForce: null, next: null }),
    saveNext: (text) => note('next', text),
    commit: (text) => note('in force', text),
  };
  const membership = new Membership(membersOf([1, 2, 3], 1), { isEnabled: true });
  const keeper = new ConfigKeeper(membership, store, 3, silentLogger, comesBack);
  for (const members of told) {
    const configuration = membership.configurationOf(members);
    membership.see(configuration);
    await keeper.saveSeen();
    membership.activate(configuration);
    await keeper.commit(configuration);
  }
  return written;
}

test('what was seen is on the disk first, then what is in force', async () => {
  const written = await disk(false, [membersOf([1, 2], 2), membersOf([1, 2, 3], 3)]);
  assert.deepEqual(written, ['next 12', 'in force 12', 'next 123', 'in force 123']);
});

test('who is to come back keeps the configuration that it is in, and what it has seen since', async () => {
  const told = [membersOf([1, 2], 2), membersOf([1], 3), membersOf([1, 2, 3], 4)];
  assert.deepEqual(await disk(true, told), [
    'next 12',
    'next 12',
    'next 1',
    'next 1',
    'next 123',
    'in force 123',
  ]);
});

test('a proposal that came to nothing does not take the last configuration from the disk', async () => {
  const membership = new Membership(membersOf([1, 2, 3], 1), { isEnabled: true });
  const next: (string | null)[] = [];
  const store: ConfigStore = {
    load: () => Promise.resolve({ inForce: null, next: null }),
    saveNext: (text) => Promise.resolve(void next.push(text)),
    commit: () => Promise.resolve(),
  };
  const keeper = new ConfigKeeper(membership, store, 3, silentLogger, true);
  const without = membership.configurationOf(membersOf([1, 2], 2));
  membership.see(without);
  membership.activate(without);
  membership.see(membership.configurationOf(membersOf([1], 3)));
  membership.see(without);
  await keeper.saveSeen();
  assert.deepEqual(next, [without.text]);
});
