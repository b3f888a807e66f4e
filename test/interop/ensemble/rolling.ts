/**
 * Three servers of Apache's on their directories become ours one at a time, and Apache's again, while
 * clients write through all of them, ours as well as Curator and kazoo with locks, ephemerals and
 * watches. Nobody loses what was acknowledged, nor a session, a lock or an event.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect, type Subject } from '../../cluster/inspection.js';
import { Mayflies } from '../../cluster/mayfly.js';
import { Members, tickMs, type Kind } from '../../cluster/members.js';
import { Contended, Writer } from '../../cluster/writer.js';
import { SeededRandom } from '../../conformance/differential/random.js';
import { Companion } from './rolling-companion.js';
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
  const companions: Companion[] = [];
  const pause = async (): Promise<void> => {
    for (const writer of writers) writer.stop();
    await Promise.all(running);
    running = [];
  };
  const look = async (what: string): Promise<void> => {
    await Promise.all([pause(), ...companions.map((companion) => companion.pause())]);
    await mayflies.end();
    const finding = await inspect(subject);
    tally.none(what, [...problems.splice(0), ...finding.problems]);
    await mayflies.hatch(world.servers);
    running = writers.map((writer) => writer.run());
    await Promise.all(companions.map((companion) => companion.resume()));
  };
  try {
    await members.startAll();
    await members.untilAllServe();
    for (const writer of writers) await writer.prepare();
    const hosts = world.servers.map(({ host, port }) => `${host}:${port}`).join(',');
    companions.push(await Companion.curator(hosts), await Companion.kazoo(hosts));
    running = writers.map((writer) => writer.run());
    for (const kind of ['zabra', 'apache'] as const) {
      tally.begin(`rolling replacement by ${kind}`);
      await replaceAll(members, kind, random, () =>
        look(`with ${members.sids.map((sid) => members.kindOf(sid)).join(', ')}`),
      );
    }
    await pause();
    for (const companion of companions) await companion.end(tally);
    const acknowledged = writers.reduce((sum, { ledger }) => sum + ledger.doneCount, 0);
    console.log(`rolling replacement, there and back: ${acknowledged} acknowledged writes`);
    tally.check('writes were acknowledged', acknowledged > 1000, true);
  } finally {
    await pause();
    for (const companion of companions) companion.kill();
    for (const { session } of writers) session.drop();
    const isKept = tally.failed > before;
    await members.dispose(isKept);
    if (isKept) console.log(`what the servers left behind: ${members.home}`);
  }
}
