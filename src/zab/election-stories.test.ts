/**
 * Stories of one server's election, as text: what it is told, and under each line what it says and
 * decides. Written again with ZABRA_WRITE_STORIES=1; commit a change only if you understand it.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  readNotification,
  type Notification,
  type PeerState,
} from '../protocol/peer/notification.js';
import { formatZxid, zxid } from '../protocol/zxid.js';
import type { OwnHistory } from './election-options.js';
import { Election } from './election.js';
import { hierarchicalQuorum, majorityQuorum, oracleQuorum, type Quorum } from './quorum.js';
import { noHistory, type Vote } from './vote.js';

const folder = new URL('../../src/zab/testdata/election/', import.meta.url);
const states: readonly string[] = ['looking', 'following', 'leading', 'observing'];

type Fields = ReadonlyMap<string, string>;

function fieldsOf(words: readonly string[]): Fields {
  return new Map(
    words.map((word) => {
      const [key = '', value] = word.split('=');
      assert.ok(value !== undefined, `'${word}' is not key=value`);
      return [key, value];
    }),
  );
}

const numbersOf = (text: string, separator = ','): number[] => text.split(separator).map(Number);

/** `1,2/3,4` and `3:0,4:2`. */
function groupsOf(text: string): Map<number, number> {
  const groupOf = new Map<number, number>();
  for (const [group, sids] of text.split('/').entries()) {
    for (const sid of numbersOf(sids)) groupOf.set(sid, group);
  }
  return groupOf;
}

function weightsOf(text: string): Map<number, number> {
  const weightOf = new Map<number, number>();
  for (const pair of text.split(',').filter((it) => it !== '')) {
    const [sid = NaN, weight = NaN] = numbersOf(pair, ':');
    weightOf.set(sid, weight);
  }
  return weightOf;
}

class Story {
  #nowMs = 0;
  #own: OwnHistory = { zxid: 0n, peerEpoch: 0 };
  #oracleSays = false;
  #quorums: readonly Quorum[] = [];
  #election: Election | null = null;
  #shown = { deadlineMs: Infinity, outcome: '', isDeserted: false, newer: 0n };

  run(line: string): string[] {
    const [verb = '', ...words] = line.split(' ');
    const said = this.#do(verb, words);
    return [...said, ...this.#news()];
  }

  get #running(): Election {
    assert.ok(this.#election !== null, 'a story begins with `server`');
    return this.#election;
  }

  #do(verb: string, words: readonly string[]): string[] {
    const sid = Number(words[0]);
    switch (verb) {
      case 'server':
        this.#create(fieldsOf(words));
        return [];
      case 'quorum':
        this.#quorums = [this.#quorum(fieldsOf(words))];
        return [];
      case 'start':
        this.#start(fieldsOf(words));
        return [];
      case 'connect':
        this.#running.onConnected(sid, this.#nowMs);
        return [];
      case 'disconnect':
        this.#running.onDisconnected(sid, this.#nowMs);
        return [];
      case 'from':
        this.#running.onNotification(sid, notificationOf(words.slice(1)), this.#nowMs);
        return [];
      case 'bytes':
        return this.#receive(sid, words.slice(1).join(''));
      case 'at':
        return this.#advance(sid);
      case 'oracle':
        this.#oracleSays = words[0] === 'yes';
        return [];
      case 'enter':
        this.#enter(fieldsOf(words));
        return [];
      default:
        throw new Error(`no such command: ${verb}`);
    }
  }

  #create(fields: Fields): void {
    this.#shown = { deadlineMs: Infinity, outcome: '', isDeserted: false, newer: 0n };
    this.#readOwn(fields);
    this.#quorums = [this.#quorum(fields)];
    if (fields.has('next')) {
      this.#quorums = [...this.#quorums, majorityQuorum(numbersOf(fields.get('next') ?? ''), 0n)];
    }
    const role = fields.get('role') === 'observer' ? 'observing' : 'following';
    this.#election = new Election({
      sid: Number(fields.get('sid')),
      learnerRole: () => role,
      quorums: () => this.#quorums,
      configText: () => `version=${this.#quorums[0]?.version.toString(16) ?? ''}`,
      configVersionOf: (text) => {
        const found = /^version=([0-9a-f]+)$/.exec(text)?.[1];
        return found === undefined ? null : BigInt(`0x${found}`);
      },
    });
  }

  #quorum(fields: Fields): Quorum {
    const voters = numbersOf(fields.get('voters') ?? '');
    const version = BigInt(`0x${fields.get('version') ?? '0'}`);
    const groups = fields.get('groups');
    if (groups !== undefined) {
      const weights = weightsOf(fields.get('weights') ?? '');
      return hierarchicalQuorum(groupsOf(groups), weights, voters, version);
    }
    return fields.has('oracle')
      ? oracleQuorum(voters, version, () => this.#oracleSays)
      : majorityQuorum(voters, version);
  }

  #readOwn(fields: Fields): void {
    const given = fields.get('zxid');
    const wasBlank = this.#own.isBlank === true;
    const isBlank = given === 'none' || (given === undefined && wasBlank);
    const own = given === 'none' ? 0n : zxid(BigInt(given ?? this.#own.zxid));
    const peerEpoch = Number(fields.get('epoch') ?? this.#own.peerEpoch);
    this.#own = { zxid: own, peerEpoch, isBlank };
  }

  /** With `stands`: for so many ms. */
  #start(fields: Fields): void {
    this.#readOwn(fields);
    const stands = fields.get('stands');
    const more = stands === undefined ? {} : { standsUntilMs: this.#nowMs + Number(stands) };
    this.#running.start(this.#nowMs, { ...this.#own, ...more });
  }

  #receive(from: number, hex: string): string[] {
    const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
    const notification = readNotification(bytes, 0, bytes.length);
    if (notification === null) return ['no notification'];
    this.#running.onNotification(from, notification, this.#nowMs);
    return [];
  }

  #advance(toMs: number): string[] {
    const said: string[] = [];
    while (this.#running.deadlineMs <= toMs) {
      this.#nowMs = this.#running.deadlineMs;
      this.#running.tick(this.#nowMs);
      said.push(...this.#news().map((line) => `${this.#nowMs} ms: ${line}`));
    }
    this.#nowMs = toMs;
    return said;
  }

  /** The role is entered with the vote of the outcome, of another epoch or leader if given. */
  #enter(fields: Fields): void {
    const { outcome } = this.#running;
    assert.ok(outcome !== null, 'nothing is decided');
    const leader = BigInt(fields.get('leader') ?? outcome.leader);
    const vote: Vote = {
      ...outcome.vote,
      leader,
      peerEpoch: BigInt(fields.get('epoch') ?? outcome.vote.peerEpoch),
      electionEpoch: BigInt(fields.get('round') ?? outcome.vote.electionEpoch),
    };
    const role = fields.get('as') ?? outcome.role;
    assert.ok(role === 'leading' || role === 'following' || role === 'observing');
    this.#running.decided(role, vote);
  }

  #news(): string[] {
    const { outcome, deadlineMs, isDeserted, newerConfig } = this.#running;
    const lines = this.#running.takeMessages().map(({ to, notification }) => {
      assert.equal(notification.version, 2);
      const config = notification.config?.replace('version=0', '') ?? '';
      return `tell ${to}: ${describe(notification.state, notification)} ${config}`.trimEnd();
    });
    const decided = outcome === null ? '' : `${outcome.role}: ${describe('for', outcome.vote)}`;
    if (decided !== this.#shown.outcome && decided !== '') lines.push(decided);
    if (isDeserted && !this.#shown.isDeserted) lines.push('deserted');
    const newer = newerConfig?.version ?? 0n;
    if (newer !== this.#shown.newer && newer !== 0n) lines.push(`newer configuration ${newer}`);
    if (deadlineMs !== this.#shown.deadlineMs) {
      lines.push(deadlineMs === Infinity ? 'no timer' : `timer ${deadlineMs} ms`);
    }
    this.#shown = { deadlineMs, outcome: decided, isDeserted, newer };
    return lines;
  }
}

function describe(state: string, vote: Vote): string {
  const leader = vote.leader < 0n ? 'nobody' : vote.leader.toString();
  const zxids = new Map([
    [noHistory, 'none'],
    [-(1n << 63n), 'least'],
  ]);
  const last = zxids.get(vote.zxid) ?? formatZxid(vote.zxid);
  const epoch = vote.peerEpoch < 0n ? 'least' : vote.peerEpoch.toString();
  const history = `zxid ${last} epoch ${epoch}`;
  return `${state} ${state === 'looking' ? 'for ' : ''}${leader}, ${history} round ${vote.electionEpoch}`;
}

/** `looking for=3 zxid=0x100000001 epoch=1 round=1 [version=0] [config=7]` */
function notificationOf(words: readonly string[]): Notification {
  const [state = '', ...rest] = words;
  const fields = fieldsOf(rest);
  assert.ok(states.includes(state), `no such state: ${state}`);
  const given = fields.get('zxid') ?? '0';
  const config = fields.get('config');
  return {
    state: state as PeerState,
    leader: fields.get('for') === 'nobody' ? -(1n << 63n) : BigInt(fields.get('for') ?? 0),
    zxid: given === 'none' ? noHistory : BigInt(given),
    peerEpoch: BigInt(fields.get('epoch') ?? 0),
    electionEpoch: BigInt(fields.get('round') ?? 1),
    version: Number(fields.get('version') ?? 2),
    config: config === undefined ? null : `version=${config}`,
  };
}

/** Paragraphs: prose behind `#`; or commands, and behind `----` what came of them. */
function tell(text: string): string {
  const story = new Story();
  const paragraphs = text.trim().split(/\n\n+/);
  const told = paragraphs.map((paragraph) => {
    if (paragraph.startsWith('#')) return paragraph;
    const lines = paragraph.split('\n');
    const end = lines.indexOf('----');
    const commands = end < 0 ? lines : lines.slice(0, end);
    const said = commands.flatMap((command) => story.run(command));
    return [...commands, '----', ...said].join('\n');
  });
  return `${told.join('\n\n')}\n`;
}

const names = readdirSync(folder).filter((name) => name.endsWith('.txt'));
assert.ok(names.length > 0);
for (const name of names.sort()) {
  test(`story: ${name}`, () => {
    const file = new URL(name, folder);
    const text = readFileSync(file, 'utf8');
    const told = tell(text);
    if (process.env.ZABRA_WRITE_STORIES === '1') writeFileSync(file, told);
    else assert.equal(told, text);
  });
}
