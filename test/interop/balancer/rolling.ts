/**
 * Two balancers before three servers, each of which is killed in turn while our writers, Curator and
 * kazoo work through them. Nothing is lost or done twice. Before our own servers a connection ends only
 * where a read was sent ahead of a write that was executed; before Apache's, wherever it cannot be known
 * what became of a request.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect, type Subject } from '../../cluster/inspection.js';
import { Mayflies } from '../../cluster/mayfly.js';
import { Members, tickMs, type Kind } from '../../cluster/members.js';
import { Contended, Writer } from '../../cluster/writer.js';
import { SeededRandom } from '../../conformance/differential/random.js';
import { ZabraBalancer } from '../../support/zabra-balancer.js';
import { Companion } from '../ensemble/rolling-companion.js';
import type { Tally } from '../ensemble/tally.js';

const WRITERS = 4;
const ROUNDS = 2;
const SETTLE_MS = 1500;
/** Before our own servers nothing else may end a client's connection. */
const honest: readonly string[] = [
  // what it would read now is not what it would have read
  'a request before an executed write has no answer any more',
  // the mayflies, whose sessions are shorter than an election may be
  'no server was found within the safety budget',
];

export async function rollingKills(
  kinds: readonly Kind[],
  seed: number,
  tally: Tally,
): Promise<void> {
  const members = await Members.prepare(kinds, { purpose: 'balanced' });
  const isOurs = kinds.every((kind) => kind === 'zabra');
  const problems: string[] = [];
  const contended = new Contended();
  const balancers: ZabraBalancer[] = [];
  const companions: Companion[] = [];
  let writers: Writer[] = [];
  let running: Promise<void>[] = [];
  const before = tally.failed;
  let hasEnded = false;
  const pause = async (): Promise<void> => {
    for (const writer of writers) writer.stop();
    await Promise.all(running);
    running = [];
  };
  try {
    await members.startAll();
    await members.untilAllServe();
    const servers = members.sids
      .map((sid) => members.addressOf(sid))
      .map(({ host, port }) => `${host}:${port}`);
    for (let i = 0; i < 2; i++) balancers.push(await ZabraBalancer.start(servers));
    const world = {
      servers: balancers.map(({ port }) => ({ host: '127.0.0.1', port })),
      random: new SeededRandom(seed),
      contended,
      problems,
      sessionTimeoutMs: 40_000,
      leaveChance: 0,
    };
    writers = Array.from({ length: WRITERS }, (_, index) => new Writer(index, seed, world));
    const mayflies = new Mayflies(4 * tickMs, problems);
    const subject: Subject = { members, writers, contended, mayflies };
    const look = async (what: string): Promise<void> => {
      await Promise.all([pause(), ...companions.map((companion) => companion.pause())]);
      await mayflies.end();
      const finding = await inspect(subject);
      tally.none(what, [...problems.splice(0), ...finding.problems]);
      await mayflies.hatch(world.servers);
      running = writers.map((writer) => writer.run());
      await Promise.all(companions.map((companion) => companion.resume()));
    };
    for (const writer of writers) await writer.prepare();
    const hosts = balancers.map((balancer) => balancer.connectString).join(',');
    companions.push(await Companion.curator(hosts), await Companion.kazoo(hosts));
    running = writers.map((writer) => writer.run());
    for (let round = 1; round <= ROUNDS; round++) {
      for (const sid of members.sids) {
        const role = await members.modeOf(sid);
        await members.end(sid, 'SIGKILL');
        await sleep(SETTLE_MS);
        await members.start(sid);
        await members.untilAllServe();
        await sleep(SETTLE_MS);
        if (sid === members.sids.at(-1)) await look(`round ${round}`);
        else tally.none(`${role} ${sid} killed`, problems.splice(0));
      }
    }
    await pause();
    for (const companion of companions) await companion.end(tally);
    const acknowledged = writers.reduce((sum, { ledger }) => sum + ledger.doneCount, 0);
    const losses = writers.reduce((sum, writer) => sum + writer.losses, 0);
    console.log(`${acknowledged} acknowledged writes, ${losses} connections of writers ended`);
    tally.check('writes were acknowledged', acknowledged > 1000, true);
    const reasons = balancers.flatMap((balancer) => reasonsOf(balancer.log()));
    for (const [reason, count] of counted(reasons)) console.log(`${count} times: ${reason}`);
    if (isOurs) {
      const unexpected = reasons.filter((reason) => !honest.includes(reason));
      tally.none('connections that need not have ended', unexpected);
    }
    hasEnded = true;
  } finally {
    await pause();
    for (const companion of companions) companion.kill();
    for (const { session } of writers) session.drop();
    const isKept = !hasEnded || tally.failed > before;
    for (const balancer of balancers) {
      if (isKept) console.log(balancer.log().split('\n').slice(-40).join('\n'));
      await balancer.dispose();
    }
    await members.dispose(isKept);
    if (isKept) console.log(`what the servers left behind: ${members.home}`);
  }
}

function reasonsOf(log: string): string[] {
  const ended = log.split('\n').filter((line) => line.includes('connection was ended'));
  return ended.map((line) => /reason="([^"]*)"/.exec(line)?.[1] ?? line);
}

function counted(reasons: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return counts;
}
