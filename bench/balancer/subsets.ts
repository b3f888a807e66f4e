/**
 * `npm run bench:subsets [-- --rounds N]`: what the subsets do to clients when a server dies. For `all`, `rw`
 * and `rw-p` in turn the same seed, the same load and the same moment: the busiest follower is killed
 * with -9 and comes back ten seconds later. Prints the table that docs/balancing.md holds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Balancer } from 'zabra/balancer';
import { Members } from '../../test/cluster/members.js';
import { SeededRandom } from '../../test/conformance/differential/random.js';
import type { LoadFigures } from '../figures.js';
import { compilePrograms, type Programs } from '../programs.js';
import { median } from '../statistics.js';

const subsets = ['all', 'rw', 'rw-p'] as const;
type Subset = (typeof subsets)[number];

const loads = [
  { name: 'reads alone', mode: 'get' },
  { name: 'a write in ten', mode: 'mix:90' },
] as const;
type LoadName = (typeof loads)[number]['name'];

const connections = 24;
const perSecond = 3000;
const seconds = 45;
const killAfterMs = 20_000;
const awayMs = 10_000;
const glanceMs = 50;

/** Of one run. */
interface Seen extends LoadFigures {
  /** During which one server had all sessions, and two or more were well. */
  readonly alone: number;
  /** Servers with sessions, in the middle over time. */
  readonly servers: number;
  /** Connections of clients that the balancer ended. */
  readonly dropped: number;
  /** How long the slowest session that lost its server was without one. */
  readonly slowestMs: number;
}

class Glances {
  readonly #balancer: Balancer;
  readonly #timer: NodeJS.Timeout;
  readonly #counts: number[] = [];
  #aloneMs = 0;

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
    this.#timer = setInterval(() => {
      this.#look();
    }, glanceMs);
  }

  #look(): void {
    const { servers } = this.#balancer.status();
    const carrying = servers.filter(({ sessions }) => sessions > 0).length;
    const well = servers.filter(({ set }) => set === 'awake' || set === 'waiting').length;
    this.#counts.push(carrying);
    if (carrying === 1 && well > 1) this.#aloneMs += glanceMs;
  }

  end(): { readonly alone: number; readonly servers: number } {
    clearInterval(this.#timer);
    return { alone: this.#aloneMs / 1000, servers: median(this.#counts) };
  }
}

/** The follower with the most sessions. */
function busiest(balancer: Balancer, members: Members, leader: number): number {
  const sessionsOf = (sid: number): number => {
    const { host, port } = members.addressOf(sid);
    const shown = balancer.status().servers.find(({ id }) => id === `${host}:${port}`);
    return shown?.sessions ?? 0;
  };
  const followers = members.sids.filter((sid) => sid !== leader);
  return followers.reduce((one, other) => (sessionsOf(other) > sessionsOf(one) ? other : one));
}

async function run(programs: Programs, subset: Subset, mode: string, seed: number): Promise<Seen> {
  const members = await Members.prepare(['zabra', 'zabra', 'zabra'], {
    purpose: 'bench-subsets',
    config: { forceSync: 'no', maxClientCnxns: '0', tickTime: '2000' },
  });
  try {
    await members.startAll();
    await members.untilAllServe();
    const servers = members.sids.map((sid) => {
      const { host, port } = members.addressOf(sid);
      return `${host}:${port}`;
    });
    const dice = new SeededRandom(seed);
    const balancer = new Balancer(
      { listen: ['127.0.0.1:0'], servers: servers.join(), subset, scope: 'local' },
      { random: () => dice.below(1_000_000) / 1_000_000 },
    );
    await balancer.start();
    try {
      let slowestMs = 0;
      let dropped = 0;
      balancer.on('masked', ({ tookMs }) => {
        slowestMs = Math.max(slowestMs, tookMs);
      });
      balancer.on('dropped', () => dropped++);
      const target = { address: balancer.connectString, pids: [process.pid] };
      const load = programs.startLoad(target, {
        ...{ mode, connections, outstanding: 1, seconds, warmSeconds: 2, perSecond },
        ...{ parent: `/${subset}`, mayFail: true },
      });
      const glances = new Glances(balancer);
      await sleep(killAfterMs);
      const lost = busiest(balancer, members, await members.leader());
      await members.end(lost, 'SIGKILL');
      await sleep(awayMs);
      await members.start(lost);
      const figures = await load.finished;
      return { ...figures, ...glances.end(), dropped, slowestMs };
    } finally {
      await balancer.stop();
    }
  } finally {
    await members.dispose();
  }
}

function table(seen: ReadonlyMap<string, readonly Seen[]>): string {
  const lines = [
    '| load | subset | servers in use | p50, ms | p99, ms | longest, ms | s on one server | requests failed | connections ended |',
    '|---|---|--:|--:|--:|--:|--:|--:|--:|',
  ];
  for (const { name } of loads) {
    for (const subset of subsets) {
      const runs = seen.get(keyOf(name, subset)) ?? [];
      const middle = (of: (one: Seen) => number): number => median(runs.map(of));
      const sum = (of: (one: Seen) => number): number =>
        runs.reduce((total, one) => total + of(one), 0);
      const ms = (us: number): string => (us / 1000).toFixed(2);
      lines.push(
        `| ${name} | \`${subset}\` | ${middle((one) => one.servers)} | ` +
          `${ms(middle((one) => one.p50Us))} | ${ms(middle((one) => one.p99Us))} | ` +
          `${ms(middle((one) => one.maxUs))} | ${middle((one) => one.alone).toFixed(1)} | ` +
          `${sum((one) => one.errors)} | ${sum((one) => one.disconnects)} |`,
      );
    }
  }
  return lines.join('\n');
}

const keyOf = (name: LoadName, subset: Subset): string => `${name} ${subset}`;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } });
  const rounds = Number(values.rounds);
  const programs = await compilePrograms();
  if (programs === null) throw new Error('no C compiler: the load is made in C');
  const seen = new Map<string, Seen[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const { name, mode } of loads) {
      for (const subset of subsets) {
        const one = await run(programs, subset, mode, round);
        const key = keyOf(name, subset);
        seen.set(key, [...(seen.get(key) ?? []), one]);
        console.log(
          `round ${round} of ${rounds}, ${name}, ${subset}: ${one.servers} servers, ` +
            `p50 ${one.p50Us} us, p99 ${one.p99Us} us, longest ${(one.maxUs / 1000).toFixed(0)} ms, ` +
            `${one.alone.toFixed(1)} s on one server, ${one.errors} errors, ` +
            `${one.disconnects} disconnects, ${one.dropped} dropped, ` +
            `slowest session ${one.slowestMs.toFixed(0)} ms without a server`,
        );
      }
    }
  }
  console.log(
    `\nMedians of ${rounds} rounds; ${connections} connections, ${perSecond} requests a second for ` +
      `${seconds} s, a server killed after ${killAfterMs / 1000} s and back ${awayMs / 1000} s later.\n\n` +
      table(seen),
  );
}

await main();
