/**
 * `node build/test/interop/balancer/features.js [names…]`: what a balancer can be told, before real
 * servers: `roles`, `zones`, `srv`, `config` and `drain` before five of ours, `health`, `rw-p` and
 * `deterministic` before three of Apache's with one of ours.
 */
import { parseArgs } from 'node:util';
import type { Kind } from '../../cluster/members.js';
import { MissingError } from '../../support/machine.js';
import { requireJava } from '../../support/maven.js';
import { Tally } from '../ensemble/tally.js';
import { Town, type Role } from '../reconfig/town.js';
import { Crowd } from './crowd.js';
import { ObservedBalancer } from './observed-balancer.js';
import { deterministic, health, rwp } from './scenes-apache.js';
import { config, drain, roles, srv, zabraRoles, zones } from './scenes-zabra.js';

type Scene = (town: Town, tally: Tally) => Promise<void>;

interface Ensemble {
  readonly kinds: readonly Kind[];
  /** In the same order. */
  readonly roles: readonly Role[];
  readonly settings: Readonly<Record<string, string>>;
  readonly scenes: ReadonlyMap<string, Scene>;
}

const ensembles: readonly Ensemble[] = [
  {
    kinds: zabraRoles.map(() => 'zabra'),
    roles: zabraRoles,
    settings: {},
    scenes: new Map(Object.entries({ roles, zones, srv, config, drain })),
  },
  {
    kinds: ['apache', 'apache', 'apache', 'zabra'],
    roles: ['participant', 'participant', 'participant', 'observer'],
    settings: { '4lw.commands.whitelist': 'srvr' },
    scenes: new Map(Object.entries({ health, 'rw-p': rwp, deterministic })),
  },
];

async function settled({ kinds, roles: given, settings }: Ensemble): Promise<Town> {
  const town = new Town(settings);
  for (const [index, kind] of kinds.entries()) await town.add(index + 1, kind);
  const members = [...town.citizens.keys()].map(
    (sid) => [sid, given[sid - 1] ?? 'participant'] as const,
  );
  for (const sid of town.citizens.keys()) {
    town.settle(sid, members);
    town.initialize(sid);
  }
  await Promise.all([...town.citizens.keys()].map((sid) => town.start(sid)));
  return town;
}

async function play(ensemble: Ensemble, wanted: readonly string[], tally: Tally): Promise<number> {
  const names = [...ensemble.scenes.keys()].filter((name) => wanted.includes(name));
  if (names.length === 0) return 0;
  const before = tally.failed;
  let town: Town | null = null;
  try {
    if (ensemble.kinds.includes('apache')) await requireJava();
    town = await settled(ensemble);
    for (const name of names) {
      const startedMs = Date.now();
      const [passedBefore, failedBefore] = [tally.passed, tally.failed];
      tally.begin(name);
      try {
        await ensemble.scenes.get(name)?.(town, tally);
      } finally {
        await Crowd.disperse();
        const logs = ObservedBalancer.takeLogs();
        if (tally.failed > failedBefore) for (const log of logs) console.log(log);
      }
      const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
      console.log(`${name}: ${tally.passed - passedBefore} checks, ${seconds} s`);
    }
  } catch (error) {
    if (error instanceof MissingError) {
      console.log(`skip: ${error.message}`);
      return names.length;
    }
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    tally.none('it comes to its end', [why]);
  } finally {
    const isKept = tally.failed > before;
    if (isKept && town !== null) console.log(`what the servers left behind: ${town.home}`);
    await town?.dispose(isKept);
  }
  return 0;
}

async function main(): Promise<number> {
  const { positionals } = parseArgs({ allowPositionals: true });
  const known = ensembles.flatMap(({ scenes }) => [...scenes.keys()]);
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`no ${unknown.join(', ')}; there are: ${known.join(', ')}`);
    return 2;
  }
  const wanted = positionals.length === 0 ? known : positionals;
  const tally = new Tally();
  let skipped = 0;
  for (const ensemble of ensembles) skipped += await play(ensemble, wanted, tally);
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
