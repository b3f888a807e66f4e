/**
 * What disks do to the servers of an ensemble while clients write, and what must come of each. Whatever
 * the log or an epoch file cannot be trusted with ends the process, at once and with one line; the others
 * go on, and it comes back when its disk has. A snapshot that fails costs nothing but itself. A disk
 * that does not answer costs a server its place for as long.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../conformance/differential/random.js';
import type { DiskFault, FaultControl } from './disk-fault.js';
import { firstWrite } from './first-write.js';
import { syncLimit, tickMs, type Members } from './members.js';

export interface DiskField {
  readonly members: Members;
  readonly random: SeededRandom;
  readonly problems: string[];
  /** What is said of this cycle. */
  readonly told: string[];
  controlOf(sid: number): FaultControl;
}

type Trouble = (field: DiskField) => Promise<void>;

/**
 * How long the others are without a leader that hangs: syncLimit until it gives up or is given up, an
 * eighth of a tick until that is looked at, 200 ms for an election with a voter that says nothing, and
 * what discovery and the client's next try take. All but the last is 2,262 ms; seen: 2,250 to 2,600 ms.
 */
const LEFT_MS = syncLimit * tickMs + tickMs / 8 + 200;
/** It is not the disk's answer that ends it: the next write has to come before that. */
const HANG_MS = Math.ceil(LEFT_MS / 500) * 500 + 1000;
/** As the servers are configured: a flush that takes longer ends the process. */
export const hangLimitMs = HANG_MS + 1000;
/** Until the process has come to the call that fails. */
const STRIKE_MS = 15_000;
/** Among the others: elected, synchronised, written. */
const GO_ON_MS = 8000;
const FATAL_EXIT_CODE = 10;
const POLL_MS = 20;

const leaderOf: Choice = async ({ members }) => await members.leader();
const followerOf: Choice = async (field) => {
  const leader = await field.members.leader();
  return field.random.pick(field.members.sids.filter((sid) => sid !== leader));
};
type Choice = (field: DiskField) => Promise<number>;
const anyOf: Choice = (field) => Promise.resolve(field.random.pick(field.members.sids));

/** Names as the server's own, or the beginnings of them. */
const log = 'log.';
const snapshot = 'snapshot.';
/** Until it is whole and durable. */
const unfinished = '.snapshot.';

/** The process ends with one line, the others write on without it, and it comes back. */
function ends(choose: Choice, fault: DiskFault): Trouble {
  return async (field) => {
    await load(field);
    const sid = await choose(field);
    field.controlOf(sid).arm({ ...fault, skip: field.random.below(3) });
    field.members.mayEnd(sid);
    await judgeEnd(field, sid);
    await othersGoOn(field, sid);
    await comeBack(field, sid);
  };
}

/** Full until somebody makes room: also a start says so in one line, and harms nothing. */
function endsUntilRoom(choose: Choice): Trouble {
  return async (field) => {
    const { members, problems } = field;
    await load(field);
    const sid = await choose(field);
    const part = field.random.pick([0, 0.5]);
    field.controlOf(sid).arm({ call: 'write', file: '', code: 'ENOSPC', part, lasts: true });
    members.mayEnd(sid);
    await judgeEnd(field, sid);
    await othersGoOn(field, sid);
    const isUp = await members.start(sid).then(
      () => true,
      () => false,
    );
    // it may start, as long as it need not write: then it ends with the first thing that it must
    if (isUp) {
      members.mayEnd(sid);
      if ((await members.untilEnded(sid, STRIKE_MS)) === null) {
        problems.push(`server ${sid} serves on a disk that is full`);
        await members.end(sid);
      }
    }
    await comeBack(field, sid);
  };
}

/** An epoch file fails when there is a new leader, whom its server then cannot follow. */
function endsInElection(fault: DiskFault): Trouble {
  return async (field) => {
    const { members } = field;
    await load(field);
    const leader = await members.leader();
    const sid = field.random.pick(members.sids.filter((other) => other !== leader));
    field.controlOf(sid).arm(fault);
    members.mayEnd(sid);
    await members.end(leader);
    await judgeEnd(field, sid);
    await Promise.all([members.start(leader), othersGoOn(field, sid)]);
    await comeBack(field, sid);
  };
}

/** It serves on, keeps its older snapshots, and takes another when it can. */
function snapshotFails(fault: DiskFault): Trouble {
  return async (field) => {
    const { members, problems, told } = field;
    const sid = await anyOf(field);
    const before = snapshotsOf(members, sid);
    field.controlOf(sid).arm(fault);
    await until(() => field.controlOf(sid).struckCount > 0, STRIKE_MS);
    const word = 'snapshot failed; the older ones and the whole log remain';
    if (!(await until(() => members.saidBy(sid).includes(word), STRIKE_MS))) {
      problems.push(`server ${sid} did not say that its snapshot failed`);
    }
    if ((await members.modeOf(sid)) === '') problems.push(`server ${sid} does not serve on`);
    const left = snapshotsOf(members, sid);
    const lost = before.filter((name) => !left.includes(name));
    if (lost.length > 0) problems.push(`server ${sid} lost ${lost.join(', ')}`);
    if (field.random.chance(0.5)) {
      told.push('killed before the next snapshot');
      await members.end(sid);
      await comeBack(field, sid);
    }
    field.controlOf(sid).lift();
    const isNew = (): boolean => snapshotsOf(members, sid).some((name) => !left.includes(name));
    if (!(await until(isNew, STRIKE_MS))) problems.push(`server ${sid} took no snapshot any more`);
  };
}

/** What was being written when the process was killed is there in part. */
async function tornWrite(field: DiskField, sids: readonly number[]): Promise<void> {
  const { members, problems, random } = field;
  await load(field);
  for (const sid of sids) {
    const part = random.pick([0, 0.1, 0.5, 0.9]);
    members.mayEnd(sid);
    field.controlOf(sid).arm({ call: 'write', file: log, part, kills: true, skip: 2 });
  }
  await Promise.all(
    sids.map(async (sid) => {
      const ended = await members.untilEnded(sid, STRIKE_MS);
      if (ended !== null) return;
      // without a quorum there is nothing more to write
      if (sids.length === 1) problems.push(`server ${sid} was not killed in a write`);
      await members.end(sid);
    }),
  );
  if (sids.length === 1) await othersGoOn(field, sids[0] ?? 0);
  for (const sid of sids) field.controlOf(sid).lift();
  await members.startAll(sids);
}

/** The loop stands still in a flush: the others leave it, and it comes back as one that follows. */
function hangs(choose: Choice): Trouble {
  return async (field) => {
    await load(field);
    const sid = await choose(field);
    const control = field.controlOf(sid);
    control.arm({ call: 'flush', file: log, hangMs: HANG_MS });
    if (!(await until(() => control.struckCount > 0, STRIKE_MS))) {
      field.problems.push(`server ${sid} flushed nothing`);
    }
    await othersGoOn(field, sid, HANG_MS);
    await sleep(HANG_MS / 2);
  };
}

/** For ever, as far as anybody can tell. */
async function hangsForGood(field: DiskField): Promise<void> {
  const { members, problems } = field;
  await load(field);
  const sid = await anyOf(field);
  const inPool = field.random.chance(0.5);
  field.controlOf(sid).arm({ call: 'flush', file: log, hangMs: 60_000, inPool });
  members.mayEnd(sid);
  const ended = await members.untilEnded(sid, STRIKE_MS);
  if (ended === null) {
    problems.push(`server ${sid} hangs in a flush, and nobody ends it`);
    await members.end(sid);
  } else if (ended.signal !== 'SIGKILL' || !ended.said.includes('has not answered a flush')) {
    problems.push(
      `server ${sid} ended otherwise than for its hanging flush: ${lastLine(ended.said)}`,
    );
  }
  await othersGoOn(field, sid);
  await comeBack(field, sid);
}

/** Flushes elsewhere do not come back for a while; the loop does not stand still. */
function hangsInPool(choose: Choice): Trouble {
  return async (field) => {
    await load(field);
    const sid = await choose(field);
    const control = field.controlOf(sid);
    control.arm({ call: 'flush', file: log, hangMs: HANG_MS, inPool: true });
    await until(() => control.struckCount > 0, STRIKE_MS);
    await othersGoOn(field, sid, HANG_MS);
    await sleep(HANG_MS / 2);
  };
}

/** Every flush takes its time. */
function dawdles(choose: Choice): Trouble {
  return async (field) => {
    const sid = await choose(field);
    const hangMs = field.random.between(5, 40);
    const inPool = field.random.chance(0.5);
    field.controlOf(sid).arm({ call: 'flush', file: log, hangMs, inPool, lasts: true });
    await sleep(field.random.between(500, 1500));
    await othersGoOn(field, -1);
    field.controlOf(sid).lift();
  };
}

/** By name. */
export const troubles: Readonly<Record<string, Trouble>> = {
  'log-write-eio-leader': ends(leaderOf, { call: 'write', file: log, code: 'EIO' }),
  'log-write-short-follower': ends(followerOf, {
    call: 'write',
    file: log,
    code: 'EIO',
    part: 0.5,
  }),
  'disk-full-leader': endsUntilRoom(leaderOf),
  'disk-full-follower': endsUntilRoom(followerOf),
  'log-flush-eio-leader': ends(leaderOf, { call: 'flush', file: log, code: 'EIO' }),
  'log-flush-eio-follower': ends(followerOf, { call: 'flush', file: log, code: 'EIO' }),
  'log-fsync-eio': ends(anyOf, { call: 'sync', file: log, code: 'EIO' }),
  'log-create-enospc': ends(anyOf, { call: 'open', file: log, code: 'ENOSPC' }),
  'log-directory-eio': ends(anyOf, { call: 'syncDirectory', file: 'version-2', code: 'EIO' }),
  'acceptedepoch-rename-eio': endsInElection({
    call: 'rename',
    file: 'acceptedEpoch',
    code: 'EIO',
  }),
  'currentepoch-rename-eio': endsInElection({ call: 'rename', file: 'currentEpoch', code: 'EIO' }),
  'epoch-file-enospc': endsInElection({
    call: 'write',
    file: '.acceptedEpoch',
    code: 'ENOSPC',
  }),
  'snapshot-create-enospc': snapshotFails({ call: 'open', file: unfinished, code: 'ENOSPC' }),
  'snapshot-write-enospc': snapshotFails({
    call: 'write',
    file: unfinished,
    code: 'ENOSPC',
    part: 0.5,
    lasts: true,
  }),
  'snapshot-fsync-eio': snapshotFails({ call: 'sync', file: unfinished, code: 'EIO' }),
  'snapshot-rename-eio': snapshotFails({ call: 'rename', file: snapshot, code: 'EIO' }),
  'torn-write': async (field) => {
    await tornWrite(field, [await anyOf(field)]);
  },
  'torn-write-all-at-once': async (field) => {
    await tornWrite(field, field.members.sids);
  },
  'flush-hangs-leader': hangs(leaderOf),
  'flush-hangs-follower': hangs(followerOf),
  'flush-hangs-for-good': hangsForGood,
  'flush-hangs-in-the-pool-leader': hangsInPool(leaderOf),
  'flush-hangs-in-the-pool-follower': hangsInPool(followerOf),
  'flushes-dawdle': dawdles(anyOf),
};

// -------------------------------------------------------------------- what must be

async function load({ random }: DiskField): Promise<void> {
  await sleep(random.between(100, 500));
}

async function judgeEnd(field: DiskField, sid: number): Promise<void> {
  const { members, problems } = field;
  const ended = await members.untilEnded(sid, STRIKE_MS);
  const { struckCount } = field.controlOf(sid);
  if (ended === null) {
    problems.push(`server ${sid} goes on: the fault struck ${struckCount} times`);
    await members.end(sid);
    return;
  }
  const { code, said } = ended;
  if (code !== FATAL_EXIT_CODE)
    problems.push(`server ${sid} ended with ${code}: ${lastLine(said)}`);
  const last = lastLine(said);
  if (!/ERROR stopping: .* reason="?.*failed: /.test(last)) {
    problems.push(`server ${sid} said last: ${last}`);
  }
}

/** `sid` is out of reach; -1: nobody is. */
async function othersGoOn(field: DiskField, sid: number, boundMs = GO_ON_MS): Promise<void> {
  const { members, problems, told } = field;
  const others = members.sids.filter((other) => other !== sid);
  const servers = others.map((other) => members.addressOf(other));
  const ms = await firstWrite(servers, boundMs, problems);
  if (ms === null) problems.push(`no write on servers ${others.join(', ')} within ${boundMs} ms`);
  else told.push(`next write after ${ms} ms`);
}

/** Its disk is well again. */
async function comeBack(field: DiskField, sid: number): Promise<void> {
  field.controlOf(sid).lift();
  if (!field.members.isRunning(sid)) await field.members.start(sid);
}

function snapshotsOf(members: Members, sid: number): string[] {
  const names = readdirSync(join(members.dataDirOf(sid), 'version-2'));
  return names.filter((name) => /^snapshot\.[0-9a-f]+$/.test(name));
}

async function until(isSo: () => boolean, boundMs: number): Promise<boolean> {
  const endMs = Date.now() + boundMs;
  while (!isSo()) {
    if (Date.now() > endMs) return false;
    await sleep(POLL_MS);
  }
  return true;
}

function lastLine(said: string): string {
  return said.trimEnd().split('\n').at(-1) ?? '';
}
