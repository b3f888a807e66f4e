/**
 * `node build/test/interop/observers/main.js [names…]`: observers that learn from a follower instead of the
 * leader (`observerMasterPort`), ours and Apache's in every mix. Named by the initials of the follower, the
 * leader and the two observers: `azza` has our leader, Apache's follower, and one observer of each.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Members, type Kind } from '../../cluster/members.js';
import { commonDigests, differences, pictureOf } from '../../cluster/picture.js';
import { attach, grantedTo } from '../../support/continuing.js';
import { steadyPort } from '../../support/golden-peer/steady-port.js';
import { MissingError } from '../../support/machine.js';
import { requireJava } from '../../support/maven.js';
import { flags, part } from '../../support/requests.js';
import { TestClient } from '../../support/test-client.js';
import { Tally } from '../ensemble/tally.js';

const [follower, leader, one, two] = [1, 2, 3, 4] as const;
const mixes = ['zzzz', 'azza', 'zazz', 'zzaa', 'aazz'];
const kindOf: Readonly<Record<string, Kind>> = { a: 'apache', z: 'zabra' };

class ObserversTrial {
  readonly #members: Members;
  readonly #tally: Tally;
  readonly #masterPort: number;

  constructor(members: Members, tally: Tally, masterPort: number) {
    this.#members = members;
    this.#tally = tally;
    this.#masterPort = masterPort;
  }

  async run(): Promise<void> {
    const members = this.#members;
    await members.startAll([follower, leader]);
    await this.#until('follower', follower);
    const early = await TestClient.connect(members.addressOf(leader));
    for (let i = 0; i < 20; i++) await early.create(`/early-${i}`, { data: 'x'.repeat(100) });
    // one comes to nothing but a snapshot or the log, the other to what is in memory
    await members.startAll([one, two]);
    for (const sid of [one, two]) await this.#until('observer', sid);
    await this.#learnsFromFollower();
    for (const sid of [one, two]) await this.#clientsOf(sid);
    await this.#sessions();
    await this.#compare('at first');
    await members.end(one);
    for (let i = 0; i < 30; i++) await early.create(`/late-${i}`);
    await members.start(one);
    await this.#until('observer', one);
    await this.#compare('after an observer was away');
    await this.#masterGoes(early);
    await early.close();
    this.#tally.none('nobody ended by itself', members.deaths);
  }

  async #until(mode: string, sid: number): Promise<void> {
    const endMs = Date.now() + 30_000;
    while ((await this.#members.modeOf(sid)) !== mode) {
      if (Date.now() > endMs) throw new Error(`server ${sid} is no ${mode}`);
      await sleep(20);
    }
  }

  /** The leader counts one learner, and it is not an observer. */
  async #learnsFromFollower(): Promise<void> {
    const text = await this.#members.word(leader, 'mntr');
    const count = (name: string): string =>
      new RegExp(`^zk_${name}\\t(\\d+)`, 'm').exec(text)?.[1] ?? 'none';
    this.#tally.check('learners of the leader', count('learners'), '1');
    this.#tally.check('observers of the leader', count('synced_observers'), '0');
    this.#tally.check('a port of its own', this.#masterPort > 0, true);
  }

  async #clientsOf(sid: number): Promise<void> {
    const tally = this.#tally;
    const client = await TestClient.connect(this.#members.addressOf(sid), { timeoutMs: 10_000 });
    const path = `/of-${sid}`;
    tally.check('create', (await client.create(path, { data: 'a' })).err, 0);
    tally.check('and read', (await client.getData(path)).value?.text, 'a');
    tally.check('setData', (await client.setData(path, 'b', 0)).err, 0);
    tally.check('wrong version', (await client.setData(path, 'c', 0)).err, -103);
    const parts = [part.create(`${path}/m`), part.check(path, 1)];
    tally.check('multi', (await client.multi(parts)).err, 0);
    tally.check('ephemeral', (await client.create(`${path}/e`, { flags: flags.ephemeral })).err, 0);
    tally.check('sync', (await client.sync(path)).err, 0);
    const watcher = await TestClient.connect(this.#members.addressOf(sid === one ? two : one));
    await watcher.sync('/');
    await watcher.exists(path, true);
    tally.check('setData again', (await client.setData(path, 'd')).err, 0);
    const event = await watcher.event();
    tally.check('event', `${event.type} ${event.path}`, `3 ${path}`);
    await client.close();
    await watcher.sync('/');
    tally.check('the ephemeral is gone', (await watcher.exists(`${path}/e`)).err, -101);
    await watcher.close();
    // whoever stands between it and the leader tells nothing of sessions that go on elsewhere
    const asking = await attach(this.#members.addressOf(sid), null);
    tally.check('nothing is granted', grantedTo(asking), null);
    await asking.close();
  }

  /** Sessions at observers live by pings that only the follower passes on, and move. */
  async #sessions(): Promise<void> {
    const tally = this.#tally;
    const address = this.#members.addressOf(one);
    const kept = await TestClient.connect(address, { timeoutMs: 2000 });
    const lost = await TestClient.connect(address, { timeoutMs: 2000 });
    await lost.create('/lost', { flags: flags.ephemeral });
    await kept.create('/kept', { flags: flags.ephemeral });
    lost.destroy();
    for (let i = 0; i < 12; i++) {
      await sleep(500);
      await kept.ping();
    }
    tally.check('a session that is heard lives', (await kept.exists('/kept')).err, 0);
    tally.check('one that is not does not', (await kept.exists('/lost')).err, -101);
    const again = await lost.reconnect({ timeoutMs: 2000 });
    tally.check('and is told so', again.hasSession, false);
    let client = kept;
    for (const sid of [two, leader, follower, one]) {
      client = await client.reconnect({ timeoutMs: 10_000 }, this.#members.addressOf(sid));
      tally.check(`it goes on at ${sid}`, client.hasSession, true);
      tally.check('and writes', (await client.setData('/kept', String(sid))).err, 0);
    }
    await client.close();
  }

  async #compare(when: string): Promise<void> {
    const members = this.#members;
    for (const sid of members.sids) {
      const client = await TestClient.connect(members.addressOf(sid));
      await client.sync('/');
      await client.close();
    }
    await sleep(200);
    const pictures = await Promise.all(
      members.sids.map((sid) => pictureOf(members.addressOf(sid))),
    );
    const [first] = pictures;
    for (const [index, other] of pictures.entries()) {
      if (first === undefined || index === 0) continue;
      const found = differences(first, other, `servers 1 and ${index + 1}`);
      const others = found.filter((line) => !line.includes('/zookeeper/config'));
      this.#tally.none(`${when}: server ${index + 1} shows the same`, others);
      this.#tally.check('digests are compared', commonDigests(first, other) >= 0, true);
    }
  }

  /** Without the follower there is no quorum of two; when it is back, observers come back to it. */
  async #masterGoes(early: TestClient): Promise<void> {
    const members = this.#members;
    await members.end(follower);
    await early.untilClosed(30_000);
    await members.start(follower);
    for (const sid of [one, two]) await this.#until('observer', sid);
    const client = await TestClient.connect(members.addressOf(two));
    this.#tally.check('a write after it came back', (await client.create('/back')).err, 0);
    await client.close();
    await this.#compare('after the follower was away');
  }
}

async function trial(name: string, tally: Tally): Promise<void> {
  const kinds = name.split('').map((initial) => kindOf[initial] ?? 'zabra');
  const masterPort = await steadyPort();
  const members = await Members.prepare(kinds, {
    purpose: 'observers',
    config: { observerMasterPort: String(masterPort) },
    observers: [one, two],
  });
  tally.begin(name);
  const before = tally.failed;
  let isKept = true;
  try {
    await new ObserversTrial(members, tally, masterPort).run();
    isKept = tally.failed > before;
  } catch (problem) {
    tally.none('it comes to its end', [problem instanceof Error ? (problem.stack ?? '') : '?']);
  } finally {
    await members.dispose(isKept);
    if (isKept) console.log(`what the servers left behind: ${members.home}`);
  }
}

async function main(): Promise<number> {
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : mixes;
  const tally = new Tally();
  let skipped = 0;
  for (const name of wanted) {
    const startedMs = Date.now();
    try {
      if (name.includes('a')) await requireJava();
      await trial(name, tally);
      console.log(`${name}: ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
    } catch (error) {
      if (!(error instanceof MissingError)) throw error;
      skipped++;
      console.log(`skip: ${error.message}`);
    }
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
