/**
 * The rows about servers of an ensemble that go and come back: how long clients wait when the leader
 * is killed, stopped in its tracks or asked to go, how soon a follower has what it missed, and what
 * it costs the others when one has to be given everything.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchEnsemble, Roles, Sid } from './ensemble.js';
import type { FailoverFigures } from './figures.js';
import type { Loss } from './programs.js';
import type { Figures } from './results.js';
import type { RowContext } from './steady-rows.js';
import {
  longestTurn,
  parseLoopTurns,
  parseTimeline,
  splitBySnapshots,
  stretchOf,
  type Interval,
} from './timeline.js';

/** The probe in the event loop reports every 100 ms. */
const probeMs = 250;
const lightPerSecond = 500;
const lightSecondsMax = 600;

/** Sends the leader the signal; the leader is left to the caller. */
async function lose(
  context: RowContext,
  ensemble: BenchEnsemble,
  { leader, followers }: Roles,
  how: Pick<Loss, 'signal' | 'parent'>,
): Promise<FailoverFigures> {
  return await context.programs.failover({
    ...how,
    leader: ensemble.server(leader),
    survivors: followers.map((sid) => ensemble.server(sid)),
  });
}

/** So many times; each one of the two survivors has either of the clients every other time. */
async function loseAgainAndAgain(
  context: RowContext,
  ensemble: BenchEnsemble,
  times: number,
  how: Pick<Loss, 'signal' | 'parent'>,
  onFigures: (figures: FailoverFigures) => void,
): Promise<void> {
  for (let i = 0; i < times; i++) {
    const { leader, followers } = await ensemble.untilWhole();
    const order = i % 2 === 0 ? followers : [...followers].reverse();
    const parent = `${how.parent}-${i}`;
    onFigures(await lose(context, ensemble, { leader, followers: order }, { ...how, parent }));
    await ensemble.untilEnded(leader);
    await ensemble.startAgain(leader);
  }
}

export async function kills(context: RowContext, ensemble: BenchEnsemble): Promise<void> {
  const connectedMs: number[] = [];
  const newMs: number[] = [];
  const how = { signal: 'SIGKILL', parent: '/ens-kill' } as const;
  try {
    await loseAgainAndAgain(context, ensemble, context.scale.kills, how, (figures) => {
      connectedMs.push(figures.connectedMs);
      newMs.push(figures.newMs);
    });
  } finally {
    if (newMs.length > 0) context.report('ens-kill', { connectedMs, newMs });
  }
}

export async function handovers(context: RowContext, ensemble: BenchEnsemble): Promise<void> {
  const gapMs: number[] = [];
  const how = { signal: 'SIGTERM', parent: '/ens-handover' } as const;
  try {
    await loseAgainAndAgain(context, ensemble, context.scale.handovers, how, (figures) => {
      gapMs.push(figures.gapMs);
    });
  } finally {
    if (gapMs.length > 0) context.report('ens-handover', { gapMs });
  }
}

export async function stop(context: RowContext, ensemble: BenchEnsemble): Promise<void> {
  const roles = await ensemble.untilWhole();
  const how = { signal: 'SIGSTOP', parent: '/ens-stop' } as const;
  const { connectedMs, newMs } = await lose(context, ensemble, roles, how);
  context.report('ens-stop', { connectedMs, newMs });
  ensemble.server(roles.leader).signal('SIGCONT');
  await ensemble.untilWhole();
}

/** Starts that server again: until it follows and knows what the leader knew at that moment. */
async function backInSyncMs(ensemble: BenchEnsemble, sid: Sid, leader: Sid): Promise<number> {
  const zxid = await ensemble.zxid(leader);
  const fromMs = performance.now();
  ensemble.spawnAgain(sid);
  await ensemble.untilFollowing(sid, zxid);
  return performance.now() - fromMs;
}

function twoFollowers({ followers }: Roles): readonly [Sid, Sid] {
  const [away, other] = followers;
  if (away === undefined || other === undefined) throw new Error('there are two followers');
  return [away, other];
}

export async function behind(context: RowContext, ensemble: BenchEnsemble): Promise<void> {
  const roles = await ensemble.untilWhole();
  const [away, other] = twoFollowers(roles);
  await ensemble.server(away).kill();
  const aloneMs = await backInSyncMs(ensemble, away, roles.leader);
  await ensemble.untilWhole();
  await ensemble.server(away).kill();
  await context.programs.load(ensemble.several([roles.leader, other]), {
    ...{ mode: 'create', connections: 4, outstanding: 64, parent: '/ens-behind' },
    ...{ seconds: 0, warmSeconds: 0, creates: context.scale.behindTxns },
  });
  const inSyncMs = await backInSyncMs(ensemble, away, roles.leader);
  await ensemble.untilWhole();
  context.report('ens-behind', { inSyncMs, aloneMs });
}

interface Joined {
  /** From when on there were light writes. */
  readonly writesFromMs: number;
  readonly joining: Interval;
  readonly inSyncMs: number;
}

/** The empty follower joins in the middle of light writes, whose latencies go to the file. */
async function joinUnderWrites(
  context: RowContext,
  ensemble: BenchEnsemble,
  [away, leader, other]: readonly [Sid, Sid, Sid],
  timelineFile: string,
): Promise<Joined> {
  const writes = context.programs.startLoad(ensemble.several([leader, other]), {
    ...{ mode: 'set', connections: 4, outstanding: 16, parent: '/light' },
    ...{ seconds: lightSecondsMax, warmSeconds: 0, perSecond: lightPerSecond, timelineFile },
  });
  // awaited below; until then nobody listens
  writes.finished.catch(() => undefined);
  try {
    const writesFromMs = Date.now();
    await sleep(context.scale.joinSecondsBefore * 1000);
    const fromMs = Date.now();
    const inSyncMs = await backInSyncMs(ensemble, away, leader);
    const toMs = Date.now();
    await sleep(probeMs);
    writes.end();
    await writes.finished;
    return { writesFromMs, joining: { fromMs, toMs }, inSyncMs };
  } finally {
    writes.end();
  }
}

/** How long the leader's event loop was held up; nothing where there is no probe in it. */
function loopFigures(file: string, { joining, writesFromMs }: Joined): Figures {
  if (!existsSync(file)) return {};
  const turns = splitBySnapshots(
    parseLoopTurns(readFileSync(file, 'utf8')),
    [joining],
    writesFromMs,
  );
  return {
    ...longestTurn(turns.during, 'loopMs', 'loopMsWaited'),
    ...longestTurn(turns.before, 'loopMsBefore'),
  };
}

export async function joinFromEmpty(context: RowContext, ensemble: BenchEnsemble): Promise<void> {
  await context.programs.load(ensemble, {
    ...{ mode: 'create', connections: 4, outstanding: 64, parent: '/data' },
    ...{ seconds: 0, warmSeconds: 0, creates: context.scale.joinZnodes },
  });
  const roles = await ensemble.untilWhole();
  const [away, other] = twoFollowers(roles);
  await ensemble.server(away).kill();
  ensemble.wipe(away);
  await sleep(context.scale.settleSeconds * 1000);
  const timelineFile = join(ensemble.workDir, 'timeline');
  const sids = [away, roles.leader, other] as const;
  const joined = await joinUnderWrites(context, ensemble, sids, timelineFile);
  await ensemble.untilWhole();
  const slices = parseTimeline(readFileSync(timelineFile, 'utf8'));
  const parts = splitBySnapshots(slices, [joined.joining], joined.writesFromMs);
  const before = stretchOf(parts.before);
  const during = stretchOf(parts.during);
  if (before === null || during === null) throw new Error('no writes before or while it joined');
  context.report('ens-join', {
    inSyncMs: joined.inSyncMs,
    ...loopFigures(ensemble.loopTurnsFile(roles.leader), joined),
    p999UsBefore: before.p999Us,
    p999UsWhile: during.p999Us,
    maxUsWhile: during.maxUs,
  });
}
