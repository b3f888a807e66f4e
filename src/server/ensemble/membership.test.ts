import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../ports/logger.js';
import { readMembers, type Members } from '../config/members.js';
import { ConfigKeeper } from './config-keeper.js';
import { Membership, type ConfigStore, type Configuration } from './membership.js';

function members(sids: readonly number[], version: bigint): Members {
  const lines = sids.map((sid) => `server.${sid}=h${sid}:1:2;h${sid}:3`);
  const reading = readMembers(`${lines.join('\n')}\nversion=${version.toString(16)}`);
  assert.ok(reading.ok);
  return reading.members;
}

const voters = (membership: Membership): number[][] =>
  membership.quorums().map((quorum) => [...quorum.voters]);

/** Its writes, in order; each ends when the test says so. */
class Store implements ConfigStore {
  readonly writes: string[] = [];
  readonly #waiting: (() => void)[] = [];
  fails = false;

  load(): Promise<{ inForce: null; next: null }> {
    return Promise.resolve({ inForce: null, next: null });
  }

  saveNext(text: string | null): Promise<void> {
    return this.#write(`next ${text === null ? 'none' : (text.split('\n').at(-1) ?? '')}`);
  }

  commit(_text: string, version: bigint, hasClientAddress: boolean): Promise<void> {
    return this.#write(`commit ${version} ${hasClientAddress}`);
  }

  async end(): Promise<void> {
    this.#waiting.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  #write(what: string): Promise<void> {
    this.writes.push(what);
    if (this.fails) return Promise.reject(new Error('EROFS'));
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

function newMembership(): { membership: Membership; next: Configuration } {
  const membership = new Membership(members([1, 2, 3], 5n), { isEnabled: true });
  return { membership, next: membership.configurationOf(members([1, 4], 6n)) };
}

test('what is proposed decides with what is in force, until it is in force itself', () => {
  const { membership, next } = newMembership();
  assert.deepEqual(voters(membership), [[1, 2, 3]]);
  membership.see(next);
  assert.deepEqual(voters(membership), [
    [1, 2, 3],
    [1, 4],
  ]);
  assert.equal(membership.isPending, true);
  assert.equal(membership.activate(next)?.version, 5n);
  assert.deepEqual(voters(membership), [[1, 4]]);
  assert.equal(membership.isPending, false);
});

test('it never goes back to an older one; what a leader does not know is forgotten', () => {
  const { membership, next } = newMembership();
  const before = membership.inForce;
  membership.see(next);
  membership.see(before);
  assert.equal(membership.isPending, false);
  assert.equal(membership.mustSave, true, 'the file says otherwise');
  membership.activate(next);
  assert.equal(membership.activate(before), null);
  assert.equal(membership.inForce, next);
});

test('who votes in what is proposed does not merely watch any more', () => {
  const membership = new Membership(members([1, 2], 5n), { isEnabled: true });
  const roles = (role: string): Configuration | null =>
    membership.read(`server.1=h:1:2;3\nserver.2=g:1:2:${role};3\nversion=${role.length}`);
  const [watching, voting] = [roles('observer'), roles('participant')];
  assert.ok(watching !== null && voting !== null);
  assert.equal(membership.isObserver(2), false);
  membership.activate(watching);
  assert.equal(membership.isObserver(2), true);
  membership.see(voting);
  assert.equal(membership.isObserver(2), false);
  assert.equal(membership.isObserver(9), false, 'who is nobody follows');
});

test('what was proposed and is not in the history of its epoch was never acknowledged', () => {
  const epoch = 7n << 32n;
  const after = (version: bigint, zxid: bigint, currentEpoch: number): boolean => {
    const membership = new Membership(members([1], 5n), { isEnabled: true });
    membership.see(membership.configurationOf(members([1, 2], version)));
    membership.saved(membership.lastSeen);
    membership.forgetUnlogged(zxid, currentEpoch);
    assert.equal(membership.mustSave, !membership.isPending, 'the file says otherwise');
    return membership.isPending;
  };
  assert.equal(after(epoch + 9n, epoch + 8n, 7), false);
  assert.equal(after(epoch + 9n, epoch + 9n, 7), true, 'it is logged');
  assert.equal(after(epoch + 9n, epoch + 10n, 7), true);
  assert.equal(after(epoch + 9n, epoch + 8n, 8), true, 'the epoch may have begun with it');
  assert.equal(after(epoch, epoch - 3n, 7), true, 'it came with an epoch, not as a transaction');
  assert.equal(after(epoch + 9n, 0n, 0), true, 'nothing is known here');
});

test('a history that ends with what is proposed hides nothing that is in force elsewhere', () => {
  const { membership, next } = newMembership();
  assert.equal(membership.isNews(5n, 6n), false, 'its files were rewritten');
  assert.equal(membership.isNews(6n, 6n), true);
  membership.see(next);
  assert.equal(membership.isNews(5n, 6n), true);
  assert.equal(membership.isNews(4n, 6n), false);
  assert.equal(membership.isNews(6n, 7n), false);
});

test('disabled, nothing that others say changes it', () => {
  const membership = new Membership(members([1, 2], 0n), { isEnabled: false });
  const next = membership.configurationOf(members([1], 6n));
  membership.see(next);
  assert.equal(membership.activate(next), null);
  assert.deepEqual(voters(membership), [[1, 2]]);
});

test('a text without voters is no configuration', () => {
  const { membership } = newMembership();
  assert.equal(membership.read('version=7'), null);
  assert.equal(membership.read('server.1=h:1:2:observer;3\nversion=7'), null);
  assert.equal(membership.read('nonsense'), null);
  assert.equal(membership.read('server.1=h:1:2;3\nversion=7')?.version, 7n);
});

test('files are written one after the other, each thing once', async () => {
  const { membership, next } = newMembership();
  const store = new Store();
  const keeper = new ConfigKeeper(membership, store, 1, silentLogger);
  await keeper.saveSeen();
  assert.deepEqual(store.writes, [], 'nothing was proposed');
  membership.see(next);
  let isSaved = false;
  void keeper.saveSeen().then(() => {
    isSaved = true;
  });
  membership.activate(next);
  void keeper.commit(next);
  void keeper.commit(next);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(store.writes, ['next version=6']);
  assert.equal(isSaved, false);
  await store.end();
  assert.equal(isSaved, true);
  assert.deepEqual(store.writes, ['next version=6', 'commit 6 true']);
  await store.end();
  await keeper.idle();
  assert.equal(keeper.mustSave, false);
});

test('a file that cannot be written stops nobody', async () => {
  const { membership, next } = newMembership();
  const store = new Store();
  store.fails = true;
  const keeper = new ConfigKeeper(membership, store, 9, silentLogger);
  membership.see(next);
  await keeper.saveSeen();
  await keeper.commit(next);
  assert.deepEqual(store.writes, ['next version=6', 'commit 6 false']);
});
