/**
 * `npm run bench:balancer [-- --rounds N --seconds S]`: a server reached directly, through HAProxy and
 * through this repository's balancer in turn; what an idle session takes; how long the sessions of a
 * server that is killed are without one. Three rounds or more write docs/benchmarks-balancer.md; a
 * figure never fails the run, an error does.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cacheDirectory, repositoryRoot, temporaryDirectory } from '../../test/support/machine.js';
import { startZabra } from '../../test/support/zabra-process.js';
import { ZabraBalancer } from '../../test/support/zabra-balancer.js';
import { Members } from '../../test/cluster/members.js';
import { parseResidentBytes, type LoadFigures } from '../figures.js';
import { machineClass } from '../machine-class.js';
import { compilePrograms, type Programs, type Target } from '../programs.js';
import { median } from '../statistics.js';
import { Haproxy } from './haproxy.js';
import { IdleSessions } from './idle-sessions.js';
import { silentMoves } from './silent-moves.js';

const ways = ['direct', 'haproxy', 'zabra'] as const;
type Way = (typeof ways)[number];

interface Load {
  readonly connections: number;
  readonly outstanding: number;
}

const loads: readonly Load[] = [
  { connections: 1, outstanding: 1 },
  { connections: 64, outstanding: 1 },
  { connections: 4, outstanding: 64 },
];
const idleCount = 9_000;
/** Half of them are on one follower: the leader is spared. */
const killCount = 2_000;
const moveCount = 1_000;
const sessionTimeoutMs = 40_000;
const aims = {
  addedUs: 40,
  ratio64: 0.8,
  ratio4: 0.9,
  idleKb: 10,
  killMs: 300,
  moveMs: 5,
} as const;
const roundsToWrite = 3;
const show = (load: Load): string => `${load.connections}x${load.outstanding}`;

class Figures {
  readonly loads = new Map<string, LoadFigures[]>();
  readonly idleKb: number[] = [];
  readonly killMs: number[] = [];
  readonly moveMs: number[] = [];
  lost = 0;

  add(load: Load, way: Way, figures: LoadFigures): void {
    const key = `${show(load)} ${way}`;
    this.loads.set(key, [...(this.loads.get(key) ?? []), figures]);
  }

  middle(load: Load, way: Way, figure: (one: LoadFigures) => number): number {
    return median((this.loads.get(`${show(load)} ${way}`) ?? []).map(figure));
  }
}

/** One server that does not flush: what stands before it is to be the limit. */
async function measureLoads(programs: Programs, figures: Figures, seconds: number): Promise<void> {
  const directory = temporaryDirectory('bench-balancer');
  const server = await startZabra({ config: { forceSync: 'no', maxClientCnxns: '0' } });
  const address = `127.0.0.1:${server.port}`;
  const haproxy = await Haproxy.start([address], directory);
  const balancer = await ZabraBalancer.start([address]);
  const targets: Readonly<Record<Way, Target>> = {
    direct: { address, pids: [server.pid] },
    haproxy: { address: haproxy.address, pids: haproxy.pids },
    zabra: { address: balancer.connectString, pids: [balancer.pid] },
  };
  try {
    for (const load of loads) {
      for (const way of ways) {
        const one = await programs.load(targets[way], {
          ...load,
          ...{ mode: 'get', seconds, warmSeconds: 1, parent: '/bench' },
        });
        figures.add(load, way, one);
        console.log(
          `  get ${show(load)} ${way}: ${one.opsPerSecond.toFixed(0)}/s, p50 ${one.p50Us} us`,
        );
      }
    }
  } finally {
    await balancer.dispose();
    await haproxy.stop();
    await server.dispose();
    rmSync(directory, { recursive: true, force: true });
  }
}

const residentBytes = (pid: number): number =>
  parseResidentBytes(readFileSync(`/proc/${pid}/status`, 'utf8'));

async function measureIdle(figures: Figures): Promise<void> {
  const server = await startZabra({ config: { forceSync: 'no', maxClientCnxns: '0' } });
  const balancer = await ZabraBalancer.start([`127.0.0.1:${server.port}`]);
  try {
    // what the first sessions need is not what the thousandth needs
    const first = await IdleSessions.open(balancer.port, 500, sessionTimeoutMs);
    await sleep(1000);
    const before = residentBytes(balancer.pid);
    const sessions = await IdleSessions.open(balancer.port, idleCount - 500, sessionTimeoutMs);
    await sessions.ping();
    await sleep(1000);
    const kb = (residentBytes(balancer.pid) - before) / sessions.size / 1024;
    figures.idleKb.push(kb);
    console.log(`  idle session: ${kb.toFixed(1)} KB`);
    first.close();
    sessions.close();
  } finally {
    await balancer.dispose();
    await server.dispose();
  }
}

/** What the balancer says of the loss: of how many sessions, and how long the last of them took. */
async function reattached(balancer: ZabraBalancer): Promise<{ count: number; ms: number }> {
  for (let tries = 0; tries < 300; tries++) {
    const told = /clients did not notice .*sessions=(\d+) slowestMs=(\d+)/.exec(balancer.log());
    if (told !== null) return { count: Number(told[1]), ms: Number(told[2]) };
    await sleep(100);
  }
  throw new Error('the balancer says nothing of the loss');
}

/** Half of the sessions lose their server. */
async function measureKill(figures: Figures): Promise<void> {
  const members = await Members.prepare(['zabra', 'zabra', 'zabra'], {
    purpose: 'bench-balancer',
    config: { forceSync: 'no', maxClientCnxns: '0', tickTime: '2000' },
  });
  try {
    await members.startAll();
    await members.untilAllServe();
    const addresses = members.sids.map((sid) => members.addressOf(sid));
    const balancer = await ZabraBalancer.start(
      addresses.map(({ host, port }) => `${host}:${port}`),
    );
    try {
      const sessions = await IdleSessions.open(balancer.port, killCount, sessionTimeoutMs);
      await sessions.askAll();
      const leader = await members.leader();
      await members.end(members.sids.find((sid) => sid !== leader) ?? leader);
      const { count, ms } = await reattached(balancer);
      await sessions.askAll();
      figures.killMs.push(ms);
      figures.lost += sessions.lost;
      console.log(
        `  a follower killed: ${count} of ${killCount} sessions attached elsewhere within ` +
          `${ms.toFixed(0)} ms, ${sessions.lost} connections lost`,
      );
      sessions.close();
    } finally {
      await balancer.dispose();
    }
  } finally {
    await members.dispose();
  }
}

function verdict(isReached: boolean): string {
  return isReached ? 'reached' : '**not reached**';
}

function report(figures: Figures): string {
  const lines = [
    '| getData | way | ops/s | p50, us | p99, us | CPU of the way, us/op |',
    '|---|---|--:|--:|--:|--:|',
  ];
  for (const load of loads) {
    for (const way of ways) {
      const cpu = figures.middle(load, way, (one) => one.serverCpuUs / one.operations);
      lines.push(
        `| ${show(load)} | ${way} | ` +
          `${figures.middle(load, way, (one) => one.opsPerSecond).toFixed(0)} | ` +
          `${figures.middle(load, way, (one) => one.p50Us).toFixed(0)} | ` +
          `${figures.middle(load, way, (one) => one.p99Us).toFixed(0)} | ${cpu.toFixed(2)} |`,
      );
    }
  }
  const [one, wide, deep] = loads as [Load, Load, Load];
  const p50 = (way: Way): number => figures.middle(one, way, ({ p50Us }) => p50Us);
  const ratio = (load: Load): number =>
    figures.middle(load, 'zabra', ({ opsPerSecond }) => opsPerSecond) /
    figures.middle(load, 'haproxy', ({ opsPerSecond }) => opsPerSecond);
  const addedUs = p50('zabra') - p50('direct');
  const idleKb = median(figures.idleKb);
  const killMs = median(figures.killMs);
  const moveMs = median(figures.moveMs);
  const lost = figures.lost === 0 ? 'no connection lost' : `${figures.lost} CONNECTIONS LOST`;
  const verdicts = [
    `1x1: ${addedUs.toFixed(0)} us added to the median (aim ${aims.addedUs}: ` +
      `${verdict(addedUs <= aims.addedUs)}; HAProxy adds ${(p50('haproxy') - p50('direct')).toFixed(0)})`,
    `64x1: ${ratio(wide).toFixed(2)} of HAProxy's throughput (aim ${aims.ratio64}: ` +
      `${verdict(ratio(wide) >= aims.ratio64)})`,
    `4x64: ${ratio(deep).toFixed(2)} of HAProxy's throughput (aim ${aims.ratio4}: ` +
      `${verdict(ratio(deep) >= aims.ratio4)})`,
    `an idle session takes ${idleKb.toFixed(1)} KB of the balancer's memory (aim ${aims.idleKb}: ` +
      `${verdict(idleKb <= aims.idleKb)})`,
    `a server with half of ${killCount.toLocaleString('en-US')} sessions is killed with -9: the last of them ` +
      `is attached elsewhere after ${killMs.toFixed(0)} ms, ${lost} (aim ${aims.killMs}: ` +
      `${verdict(killMs <= aims.killMs)})`,
    `silent move of a session: ${moveMs.toFixed(1)} ms in the middle (aim ${aims.moveMs}: ` +
      `${verdict(moveMs <= aims.moveMs)})`,
  ];
  return `${lines.join('\n')}\n\n${verdicts.map((line) => `- ${line}`).join('\n')}\n`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
    },
  });
  const rounds = Number(values.rounds);
  const programs = await compilePrograms();
  if (programs === null) throw new Error('no C compiler: the load is made in C');
  const figures = new Figures();
  for (let round = 1; round <= rounds; round++) {
    console.log(`round ${round} of ${rounds}`);
    await measureLoads(programs, figures, Number(values.seconds));
    await measureIdle(figures);
    await measureKill(figures);
    const moves = await silentMoves(moveCount, sessionTimeoutMs);
    figures.moveMs.push(moves.medianMs);
    figures.lost += moves.lost;
    console.log(`  silent moves: ${moves.medianMs.toFixed(1)} ms each, ${moves.lost} lost`);
  }
  const machine = await machineClass(cacheDirectory, false);
  const text =
    '# Benchmarks of the balancer\n\nWritten by `npm run bench:balancer`: medians of ' +
    `${rounds} rounds of ${values.seconds} s each, ${machine.computer}, Node ${machine.node}. ` +
    'HAProxy is Debian’s, in TCP mode with one thread. The server is the same for all and does not ' +
    `flush.\n\n${report(figures)}`;
  console.log(`\n${text}`);
  if (rounds >= roundsToWrite) {
    writeFileSync(join(repositoryRoot, 'docs', 'benchmarks-balancer.md'), text);
  }
}

await main();
