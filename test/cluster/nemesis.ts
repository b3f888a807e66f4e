/**
 * What is done to the servers of an ensemble while clients write. Each of these ends with all servers
 * running again; none takes from a majority what it has acknowledged.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../conformance/differential/random.js';
import type { FailoverTimes } from './failover.js';
import { tickMs, type Members } from './members.js';

export interface Field {
  readonly members: Members;
  readonly random: SeededRandom;
  /** After a kill, and after a SIGSTOP that must first be noticed. */
  readonly killed: FailoverTimes;
  readonly paused: FailoverTimes;
  /** A znode for the clients that measure. */
  readonly failoverPath: string;
  /** Servers whose directory of an earlier cycle has been kept. */
  readonly copies: Set<number>;
}

type Disturbance = (field: Field) => Promise<void>;

/** Longer than anybody waits for a server that says nothing (syncLimit 4). */
const MISSED_MS = 6 * tickMs;

async function load({ random }: Field): Promise<void> {
  await sleep(random.between(50, 400));
}

async function followersOf({ members }: Field): Promise<[leader: number, followers: number[]]> {
  const leader = await members.leader();
  return [leader, members.sids.filter((sid) => sid !== leader)];
}

async function killLeader(field: Field): Promise<void> {
  const { members, random, killed, failoverPath } = field;
  const [leader, followers] = await followersOf(field);
  await killed.measure(members.addressOf(random.pick(followers)), failoverPath, () =>
    members.end(leader),
  );
  await load(field);
  await members.start(leader);
}

async function killFollower(field: Field): Promise<void> {
  const { members, random, copies } = field;
  const [, followers] = await followersOf(field);
  const sid = random.pick(followers);
  await members.end(sid);
  if (random.chance(0.5)) {
    members.keepCopy(sid);
    copies.add(sid);
  }
  await load(field);
  await members.start(sid);
}

async function stopGently(field: Field, sid: number): Promise<void> {
  await field.members.end(sid, 'SIGTERM');
  await load(field);
  await field.members.start(sid);
}

async function pause(field: Field, sid: number): Promise<void> {
  field.members.pause(sid);
  await sleep(field.random.between(100, MISSED_MS));
  field.members.resume(sid);
  await load(field);
}

/** Silent for so long that the others go on without it; then it comes back, and thinks it leads. */
async function missLeader(field: Field): Promise<void> {
  const { members, random, paused, failoverPath } = field;
  const [leader, followers] = await followersOf(field);
  await paused.measure(members.addressOf(random.pick(followers)), failoverPath, () => {
    members.pause(leader);
    return Promise.resolve();
  });
  await load(field);
  members.resume(leader);
  await load(field);
}

async function killBothFollowers(field: Field): Promise<void> {
  const { members } = field;
  const [, followers] = await followersOf(field);
  await Promise.all(followers.map((sid) => members.end(sid)));
  await load(field);
  await members.startAll(followers);
}

/** The one that has just come back was told of, or has not yet, what the leader had committed. */
async function killLeaderAsOneReturns(field: Field): Promise<void> {
  const { members, random } = field;
  const [leader, followers] = await followersOf(field);
  const sid = random.pick(followers);
  await members.end(sid);
  await load(field);
  const returning = members.start(sid);
  await sleep(random.between(200, 700));
  await members.end(leader);
  await returning;
  await members.start(leader);
}

/** The others hold all that it held. */
async function wipeFollower(field: Field): Promise<void> {
  const { members, random } = field;
  const [, followers] = await followersOf(field);
  const sid = random.pick(followers);
  await members.end(sid);
  members.wipe(sid);
  await load(field);
  await members.start(sid);
}

/**
 * What the leader and one follower have committed, that follower loses, and the other never had.
 * Those two come back without the leader: they may not decide that it never was.
 */
async function wipeVoter(field: Field): Promise<void> {
  const { members, random } = field;
  const [leader, followers] = await followersOf(field);
  const late = random.pick(followers);
  const wiped = present(followers.find((sid) => sid !== late));
  await members.end(late);
  await load(field);
  await Promise.all([members.end(leader), members.end(wiped)]);
  members.wipe(wiped);
  const returning = members.startAll([late, wiped]);
  await sleep(random.between(1000, 2000));
  await members.start(leader);
  await returning;
}

/** An old directory, of one follower: what it had acknowledged since, the others hold. */
async function rollBack(field: Field): Promise<void> {
  const { members, random, copies } = field;
  const [, followers] = await followersOf(field);
  const sid = random.pick(followers);
  await members.end(sid);
  if (copies.has(sid)) members.restoreCopy(sid);
  else members.keepCopy(sid);
  copies.add(sid);
  await load(field);
  await members.start(sid);
}

async function killAll(field: Field): Promise<void> {
  const { members } = field;
  await load(field);
  await Promise.all(members.sids.map((sid) => members.end(sid)));
  await members.startAll();
}

/** By name, with how often each is drawn. */
export const disturbances: Readonly<Record<string, readonly [weight: number, run: Disturbance]>> = {
  'kill-leader': [6, killLeader],
  'kill-follower': [3, killFollower],
  'stop-leader': [1, async (field) => stopGently(field, (await followersOf(field))[0])],
  'stop-follower': [1, async (field) => stopGently(field, await anyFollower(field))],
  'pause-leader': [2, async (field) => pause(field, (await followersOf(field))[0])],
  'miss-leader': [1, missLeader],
  'pause-follower': [1, async (field) => pause(field, await anyFollower(field))],
  'kill-both-followers': [1, killBothFollowers],
  'kill-leader-as-one-returns': [2, killLeaderAsOneReturns],
  'wipe-follower': [2, wipeFollower],
  'wipe-voter': [1, wipeVoter],
  'roll-back': [1, rollBack],
  'kill-all': [0, killAll],
};

async function anyFollower(field: Field): Promise<number> {
  const [, followers] = await followersOf(field);
  return field.random.pick(followers);
}

/** Of those names one, by weight. */
export function draw(random: SeededRandom, names: readonly string[]): string {
  const urn = names.flatMap((name) => {
    const weight = disturbances[name]?.[0] ?? 0;
    return Array.from({ length: weight }, () => name);
  });
  return random.pick(urn.length > 0 ? urn : names);
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('three servers have two followers');
  return value;
}
