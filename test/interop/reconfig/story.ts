/**
 * An ensemble of three whose members change while clients write: errors first, then an observer and a
 * voter join, roles change, a member leaves and goes on, ports move, the leader leaves, everybody is
 * started again on what is in the files.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kind } from '../../cluster/members.js';
import { TestClient } from '../../support/test-client.js';
import { body, perms, readStat } from '../../support/requests.js';
import { OpCode, Reader } from 'zabra/protocol';
import type { Tally } from '../ensemble/tally.js';
import { Load } from './load.js';
import { newPlace, superUser, Town, type Role } from './town.js';
import { errorName, Transcript } from './transcript.js';

const configPath = '/zookeeper/config';

export interface Change {
  readonly joining?: string;
  readonly leaving?: string;
  readonly members?: string;
  readonly version?: bigint;
}

export class Story {
  readonly town: Town;
  readonly transcript: Transcript;
  readonly #tally: Tally;

  constructor(town: Town, tally: Tally) {
    this.town = town;
    this.transcript = new Transcript(town);
    this.#tally = tally;
  }

  async client(sid: number, isSuper = false): Promise<TestClient> {
    const client = await TestClient.connect(this.town.addressOf(sid), { timeoutMs: 20_000 });
    if (isSuper) await client.auth('digest', `${superUser.name}:${superUser.secret}`);
    return client;
  }

  /** Asks server `sid` for a change; what it answers is part of the transcript. */
  async reconfig(what: string, sid: number, change: Change, isSuper = true): Promise<void> {
    this.transcript.say(what, await this.ask(sid, change, isSuper));
  }

  async ask(sid: number, change: Change, isSuper: boolean): Promise<string> {
    const client = await this.client(sid, isSuper);
    const { joining = null, leaving = null, members = null, version = -1n } = change;
    const request = body.reconfig(joining, leaving, members, version);
    try {
      const reply = await client.reply(client.post(OpCode.reconfig, request), 15_000);
      return this.#answer(reply.err, reply.body);
    } catch {
      return 'no answer';
    } finally {
      client.destroy();
    }
  }

  #answer(error: number, bytes: Uint8Array): string {
    if (error !== 0) return errorName(error);
    const reader = new Reader().reset(bytes, 0, bytes.length);
    const data = reader.readBuffer() ?? new Uint8Array(0);
    const { version, aversion, dataLength } = readStat(reader);
    return `${new TextDecoder().decode(data)} (${version}, ${aversion}, ${dataLength})`;
  }

  async configOf(sid: number): Promise<string> {
    const client = await this.client(sid);
    try {
      const { value } = await client.getData(configPath);
      return new TextDecoder().decode(value?.data ?? new Uint8Array(0));
    } finally {
      client.destroy();
    }
  }

  /** All of them come to show the same configuration; it is part of the transcript. */
  async configs(what: string, sids: readonly number[]): Promise<void> {
    const endMs = Date.now() + 20_000;
    for (;;) {
      const texts = await Promise.all(sids.map((sid) => this.configOf(sid).catch(() => 'none')));
      if (new Set(texts).size === 1 && texts[0] !== 'none') {
        this.transcript.say(what, texts[0] ?? '');
        return;
      }
      if (Date.now() > endMs) {
        this.#tally.none(what, texts);
        this.transcript.say(what, 'they differ');
        return;
      }
      await sleep(100);
    }
  }

  async modes(what: string, sids: readonly number[]): Promise<void> {
    const modes: string[] = [];
    for (const sid of sids) modes.push(await this.town.untilMode(sid, /./));
    this.transcript.say(what, modes.join());
  }

  files(sid: number): void {
    for (const [name, text] of this.town.filesOf(sid)) {
      // Apache writes zoo.cfg in the order of a hash table
      const lines = name === 'zoo.cfg' ? text.trim().split('\n').sort() : text.split('\n');
      this.transcript.say(`${sid}/${name}`, lines.join('\n'));
    }
  }
}

/** One server that may have others grows to three, and the first one leaves. */
export async function growth(kinds: readonly Kind[], tally: Tally): Promise<readonly string[]> {
  const town = new Town({ standaloneEnabled: 'false' });
  const story = new Story(town, tally);
  let isWhole = false;
  try {
    for (const [index, kind] of kinds.entries()) await town.add(index + 1, kind);
    town.settle(1, [[1, 'participant']]);
    await town.start(1);
    await story.modes('alone', [1]);
    await story.configs('alone', [1]);
    const members: [number, Role][] = [[1, 'participant']];
    for (const sid of [2, 3]) {
      town.settle(sid, [...members, [sid, 'observer']]);
      await town.start(sid);
      await story.modes(`${sid} has come`, [sid]);
      await story.reconfig(`${sid} joins`, 1, { joining: town.lineOf(sid) });
      members.push([sid, 'participant']);
      await story.configs(
        `with ${sid}`,
        members.map(([member]) => member),
      );
    }
    await story.modes('three', [1, 2, 3]);
    await story.ask(2, { leaving: '1' }, true);
    await sleep(1000);
    await town.untilMode(2, /leader|follower/);
    await story.configs('without the first', [2, 3]);
    await story.reconfig('and one of the two', 2, { leaving: '3' });
    await story.configs('one again', [2]);
    await story.modes('alone again', [2]);
    isWhole = true;
  } catch (error) {
    tally.none('the story', [error instanceof Error ? (error.stack ?? '') : String(error)]);
  } finally {
    const isKept = !isWhole || tally.failed > 0;
    await town.dispose(isKept);
    if (isKept) console.log(`what the servers left behind: ${town.home}`);
  }
  return story.transcript.lines;
}

/** Server 3 leads. `kinds`: of servers 1 to 5. */
export async function reconfigurations(
  kinds: readonly Kind[],
  tally: Tally,
): Promise<readonly string[]> {
  const town = new Town();
  const story = new Story(town, tally);
  const load = new Load(town);
  let isWhole = false;
  try {
    for (const [index, kind] of kinds.entries()) await town.add(index + 1, kind);
    const first = [1, 2, 3].map((sid) => [sid, 'participant'] as const);
    for (const sid of [1, 2, 3]) {
      town.settle(sid, first);
      town.initialize(sid);
    }
    await Promise.all([town.launch(3), town.launch(1)]);
    await town.untilMode(3, /leader/);
    await town.start(2);
    await story.modes('they begin', [1, 2, 3]);
    await story.configs('the first configuration', [1, 2, 3]);
    await load.begin([1, 2, 3]);
    await refusals(story);
    await joining(story);
    await changing(story);
    await leaderLeaves(story);
    load.stop();
    tally.none('the load', await load.problems([1, 2, 4, 5]));
    await again(story);
    isWhole = true;
    return story.transcript.lines;
  } catch (error) {
    tally.none('the story', [error instanceof Error ? (error.stack ?? '') : String(error)]);
    return story.transcript.lines;
  } finally {
    load.stop();
    const isKept = !isWhole || tally.failed > 0;
    await town.dispose(isKept);
    if (isKept) console.log(`what the servers left behind: ${town.home}`);
  }
}

async function refusals(story: Story): Promise<void> {
  const { town } = story;
  // nobody is there
  await town.add(6, 'zabra');
  const try1 = (what: string, change: Change, isSuper = true): Promise<void> =>
    story.reconfig(what, 1, change, isSuper);
  await try1('without rights', { joining: town.lineOf(2) }, false);
  await try1('an old version', { leaving: '2', version: 7n });
  await try1('of nothing but a wrong line', { joining: 'server.4' });
  await try1('a line without ports', { joining: 'server.4=127.0.0.1' });
  await try1('a line without a client port', { joining: 'server.4=127.0.0.1:1:2' });
  await try1('equal ports', { joining: 'server.4=127.0.0.1:2222:2222;2223' });
  await try1('a role that is none', { joining: 'server.4=127.0.0.1:2222:2223:king;2224' });
  await try1('no number', { joining: 'server.x=127.0.0.1:2222:2223;2224' });
  await try1('leaving, no number', { leaving: 'two' });
  await try1('who is not there leaves, which is a configuration', { leaving: '9' });
  await try1('one voter left', { leaving: '2,3' });
  await try1('no voter left', { leaving: '1,2,3' });
  await try1('joiners that are not there', {
    joining: [4, 5, 6].map((sid) => town.lineOf(sid)).join(),
  });
  await try1('whole: something else in it', { members: 'tickTime=3000' });
  await try1('whole: nobody', { members: '' });
  await try1('whole: one voter', { members: town.lineOf(1) });
  await try1('whole: observers alone', { members: town.lineOf(1, 'observer') });
  await try1('whole: who is not there', { members: [4, 5, 6].map((s) => town.lineOf(s)).join() });
  await try1('several addresses', { joining: `server.4=127.0.0.1:1:2|127.0.0.1:3:4;5` });
  await story.configs('after all that', [1, 2, 3]);
}

async function joining(story: Story): Promise<void> {
  const { town } = story;
  const others = [1, 2, 3].map((sid) => [sid, 'participant'] as const);
  town.settle(4, [...others, [4, 'observer']]);
  await town.start(4);
  await story.modes('4 has come', [4]);
  await story.reconfig('4 joins, watching', 2, { joining: town.lineOf(4, 'observer') });
  await story.configs('with 4', [1, 2, 3, 4]);
  town.settle(5, [...others, [5, 'participant']]);
  await town.start(5);
  await story.modes('5 has come', [5]);
  await story.reconfig('5 joins', 3, { joining: town.lineOf(5) });
  await story.configs('with 5', [1, 2, 3, 4, 5]);
  await story.modes('who is what', [1, 2, 3, 4, 5]);
}

async function changing(story: Story): Promise<void> {
  const { town } = story;
  const version = async (): Promise<bigint> => {
    const text = await story.configOf(3);
    return BigInt(`0x${/version=([0-9a-f]+)/.exec(text)?.[1] ?? '0'}`);
  };
  await story.reconfig('4 votes', 1, { joining: town.lineOf(4), version: await version() });
  await story.configs('4 is a voter', [1, 2, 3, 4, 5]);
  await town.untilMode(4, /follower/);
  await story.modes('who is what', [1, 2, 3, 4, 5]);
  await story.reconfig('5 leaves', 1, { leaving: '5' });
  await story.configs('without 5', [1, 2, 3, 4]);
  await story.modes('5 goes on', [5]);
  await story.reconfig('5 comes again', 3, { joining: town.lineOf(5) });
  await story.reconfig('2 watches', 3, { joining: town.lineOf(2, 'observer') });
  await town.untilMode(2, /observer/);
  await story.configs('2 is an observer', [1, 2, 3, 4, 5]);
  await story.reconfig('2 votes again', 3, { joining: town.lineOf(2) });
  await town.untilMode(2, /follower/);
  await portsMove(story);
}

async function portsMove(story: Story): Promise<void> {
  const { town } = story;
  const before = await story.client(1);
  const moved = { ...town.of(1).place, client: (await newPlace()).client };
  const movedLine = town.lineOf(1, 'participant', moved);
  story.transcript.learnPlace(1, moved);
  await story.reconfig('clients find 1 elsewhere', 3, { joining: movedLine });
  town.of(1).place = moved;
  await story.modes('1 where it is now', [1]);
  const { err } = await before.exists('/');
  story.transcript.say('a connection from before', err === 0 ? 'works' : 'is gone');
  before.destroy();
  const place = { ...(await newPlace()), client: town.of(2).place.client };
  story.transcript.learnPlace(2, place);
  await story.reconfig('2 moves', 3, { joining: town.lineOf(2, 'participant', place) });
  town.of(2).place = place;
  await town.untilMode(2, /follower/);
  await story.configs('after moving', [1, 2, 3, 4, 5]);
}

async function leaderLeaves(story: Story): Promise<void> {
  const { town } = story;
  // its answer may or may not get out before the leader has gone
  await story.ask(1, { leaving: '3' }, true);
  await sleep(1000);
  const modes = await Promise.all([1, 2, 4, 5].map((sid) => town.untilMode(sid, /leader|follow/)));
  story.transcript.say('who leads', modes.sort().join());
  await story.configs('without 3', [1, 2, 4, 5]);
  await story.modes('3 goes on', [3]);
  await town.stop(3);
}

async function again(story: Story): Promise<void> {
  const { town } = story;
  for (const sid of [1, 2, 4, 5]) await town.stop(sid);
  for (const sid of [1, 2, 3, 4, 5]) story.files(sid);
  const members = [1, 2, 4, 5];
  const begin = async (what: string, kindFor: (sid: number) => Kind): Promise<void> => {
    await Promise.all(members.map((sid) => town.launch(sid, kindFor(sid))));
    const modes = await Promise.all(members.map((sid) => town.untilMode(sid, /leader|follow/)));
    story.transcript.say(what, modes.sort().join());
    await story.configs('as it was', members);
  };
  await begin('started again', (sid) => town.of(sid).kind);
  await Promise.all(members.map((sid) => town.stop(sid)));
  await begin('each by the other kind', (sid) => other(town.of(sid).kind));
  const client = await story.client(1, true);
  const acl = [{ perms: perms.all, scheme: 'world', id: 'anyone' }];
  story.transcript.say(
    'whoever may, lets everybody',
    errorName((await client.setAcl(configPath, acl)).err),
  );
  client.destroy();
  await story.reconfig('everybody may', 2, { leaving: '9' }, false);
}

function other(kind: Kind): Kind {
  return kind === 'zabra' ? 'apache' : 'zabra';
}
