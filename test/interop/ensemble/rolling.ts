/**
 * Three servers of Apache's on their directories become ours one at a time, and Apache's again, while
 * clients write through all of them. Nobody loses what was acknowledged, nor a session.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect, type Subject } from '../../cluster/inspection.js';
import { Mayflies } from '../../cluster/mayfly.js';
import { Members, tickMs, type Kind } from '../../cluster/members.js';
import { Contended, Writer } from '../../cluster/writer.js';
import { SeededRandom } from '../../conformance/differential/random.js';
import type { Tally } from './tally.js';

const WRITERS = 3;

/** Followers first, as one does it by hand; some are asked to end, some are killed. */
async function replaceAll(
  members: Members,
  kind: Kind,
  random: SeededRandom,
  afterEach: () => Promise<void>,
): Promise<void> {
  const leader = await members.leader();
  for (const sid of [...members.sids.filter((other) => other !== leader), leader]) {
    await members.end(sid, random.pick(['SIGTERM', 'SIGKILL'] as const));
    await sleep(300);
    members.replaceBy(sid, kind);
    await members.start(sid);
    await members.untilAllServe();
    await sleep(500);
    await afterEach();
  }
}

export async function rollingReplacement(seed: number, tally: Tally): Promise<void> {
  const members = await Members.prepare(['apache', 'apache', 'apache'], { purpose: 'rolling' });
  const problems: string[] = [];
  const contended = new Contended();
  const random = new SeededRandom(seed);
  const world = {
    servers: members.sids.map((sid) => members.addressOf(sid)),
    random,
    contended,
    problems,
    sessionTimeoutMs: 40_000,
  };
  const writers = Array.from({ length: WRITERS }, (_, index) => new Writer(index, seed, world));
  const mayflies = new Mayflies(4 * tickMs, problems);
  const subject: Subject = { members, writers, contended, mayflies };
  const before = tally.failed;
  let running: Promise<void>[] = [];
  const pause = async (): Promise<void> => {
    for (const writer of writers) writer.stop();
    await Promise.all(running);
  };
  const look = async (what: string): Promise<void> => {
    await pause();
    await mayflies.end();
    const finding = await inspect(subject);
    tally.none(what, [...problems.splice(0), ...finding.problems]);
    await mayflies.hatch(world.servers);
    running = writers.map((writer) => writer.run());
  };
  try {
    await members.startAll();
    await members.untilAllServe();
    for (const writer of writers) await writer.prepare();
    running = writers.map((writer) => writer.run());
    for (const kind of ['zabra', 'apache'] as const) {
      tally.begin(`rolling replacement by ${kind}`);
      await replaceAll(members, kind, random, () =>
        look(`with ${members.sids.map((sid) => members.kindOf(sid)).join(', ')}`),
      );
    }
    await pause();
    const acknowledged = writers.reduce((sum, { ledger }) => sum + ledger.doneCount, 0);
    console.log(`rolling replacement, there and back: ${acknowledged} acknowledged writes`);
    tally.check('writes were acknowledged', acknowledged > 1000, true);
  } finally {
    await pause();
    for (const { session } of writers) session.drop();
    const isKept = tally.failed > before;
    await members.dispose(isKept);
    if (isKept) console.log(`what the servers left behind: ${members.home}`);
  }
}
