/**
 * `npm run bench [-- rows] [--rounds N] [--seconds S] [--quick | --smoke]`: Apache ZooKeeper and
 * Zabra in turn under the same load, and what the machine does by itself in between. A full run of
 * every row writes docs/benchmarks.md, one of every row of ensembles (`-- ens`)
 * docs/benchmarks-ensembles.md; any other only shows its tables (and keeps them in `.cache/bench`). A
 * figure never fails the run; an error does.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../test/support/machine.js';
import { runDatasetRows } from './dataset-rows.js';
import { runEnsembleRows, type EnsembleContext, type Physics } from './ensemble-rows.js';
import { machineClass } from './machine-class.js';
import { matrix, type Group, type Party } from './matrix.js';
import { parseOptions, reportRoundsMin, usage, type BenchOptions } from './options.js';
import { apacheVersion, findPeers, type Peer } from './peers.js';
import { benchDirectory, compilePrograms, type Programs } from './programs.js';
import { describeFigures, renderReport, renderTables, type Subject } from './report.js';
import { Results, type Figures } from './results.js';
import { withServer } from './server.js';
import { runSteadyRows, warm } from './steady-rows.js';

const reports = { all: 'docs/benchmarks.md', ensemble: 'docs/benchmarks-ensembles.md' } as const;

function say(line: string): void {
  console.log(line);
}

class Bench {
  readonly results = new Results();
  failures = 0;
  readonly #options: BenchOptions;
  readonly #programs: Programs;
  readonly #peers: readonly Peer[];
  readonly #directory: string;
  /** Of this round. */
  #physics: Physics | null = null;

  constructor(
    options: BenchOptions,
    programs: Programs,
    peers: readonly Peer[],
    directory: string,
  ) {
    this.#options = options;
    this.#programs = programs;
    this.#peers = peers;
    this.#directory = directory;
  }

  async run(): Promise<void> {
    const { rounds } = this.#options.scale;
    for (let round = 1; round <= rounds; round++) {
      say(`\nround ${round} of ${rounds}`);
      this.#physics = null;
      await this.#try('the machine', () => this.#machineRows());
      for (const group of ['steady', 'dataset', 'ensemble'] as const) {
        for (const peer of this.#peers) {
          if (!this.#isGroupWanted(group)) continue;
          say(`  ${peer.title}`);
          await this.#try(peer.title, () => this.#runGroup(group, peer));
        }
      }
    }
  }

  #isGroupWanted(group: Group): boolean {
    return matrix.some((row) => row.group === group && this.#options.rows.has(row.id));
  }

  /** What fails in one place does not keep the other rows from being run; the run fails at its end. */
  async #try(who: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.failures++;
      say(`  ERROR ${who}: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  }

  #report(rowId: string, party: Party, figures: Figures): void {
    this.results.add(rowId, party, figures);
    const row = matrix.find((one) => one.id === rowId);
    if (row !== undefined) say(`    ${describeFigures(row, figures)}`);
  }

  async #machineRows(): Promise<void> {
    const seconds = this.#options.scale.machineSeconds;
    const echo = await this.#programs.echo(1, seconds);
    this.#report('echo-1x1', 'machine', echo);
    this.#report('echo-64x1', 'machine', await this.#programs.echo(64, seconds));
    const flush = await this.#programs.fdatasync(this.#directory, seconds);
    this.#report('fdatasync', 'machine', flush);
    this.#physics = { flushUs: flush.p50Us, roundTripUs: echo.p50Us };
  }

  async #runGroup(group: Exclude<Group, 'machine'>, peer: Peer): Promise<void> {
    const workDir = mkdtempSync(join(this.#directory, `${peer.id}-`));
    const context: EnsembleContext = {
      scale: this.#options.scale,
      programs: this.#programs,
      isWanted: (rowId) => this.#options.rows.has(rowId),
      report: (rowId, figures) => this.#report(rowId, peer.id, figures),
      physics: this.#physics,
      attempt: (what, work) => this.#try(what, work),
    };
    try {
      if (group === 'ensemble') await runEnsembleRows(context, peer, workDir);
      else if (group === 'dataset') await runDatasetRows(context, peer, workDir);
      else {
        await withServer(peer, this.#programs, { workDir }, async (server) => {
          await warm(this.#programs, server, peer.warmSeconds);
          await runSteadyRows(context, server);
        });
      }
    } finally {
      rmSync(workDir, { recursive: true, force: true });
    }
  }
}

/** Where the tables of this run go, in the repository; only what is whole may touch the documentation. */
function destinationOf(options: BenchOptions, bench: Bench, peers: readonly Peer[]): string {
  const { rows, scale } = options;
  const isPresentable =
    scale.name === 'full' &&
    scale.rounds >= reportRoundsMin &&
    peers.length === 2 &&
    bench.failures === 0;
  const isOfEnsembles = matrix.every(
    ({ id, group }) => group === 'machine' || rows.has(id) === (group === 'ensemble'),
  );
  if (isPresentable && options.isEveryRow) return reports.all;
  if (isPresentable && isOfEnsembles) return reports.ensemble;
  return '.cache/bench/report.md';
}

async function main(): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return 2;
  }
  const programs = await compilePrograms();
  if (programs === null) {
    say('no row is run: there is no cc here to compile the load generator');
    return 0;
  }
  const { present, missing } = await findPeers(options);
  for (const sentence of missing) say(sentence);
  if (present.length === 0) return 0;
  const started = Date.now();
  const directory = mkdtempSync(join(benchDirectory, 'run-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => process.exit(130));
  const bench = new Bench(options, programs, present, directory);
  await bench.run();
  const subject: Subject = {
    scale: options.scale,
    machine: await machineClass(
      directory,
      present.some((peer) => peer.id === 'apache'),
    ),
    results: bench.results,
    apacheTitle: `Apache ZooKeeper ${apacheVersion}`,
    missing,
  };
  say(`\n${renderTables(subject)}`);
  const where = destinationOf(options, bench, present);
  const destination = join(repositoryRoot, where);
  mkdirSync(join(repositoryRoot, 'docs'), { recursive: true });
  const existing = existsSync(destination) ? readFileSync(destination, 'utf8') : null;
  writeFileSync(destination, renderReport(subject, existing));
  writeFileSync(
    join(benchDirectory, 'results.json'),
    `${JSON.stringify(bench.results, null, 1)}\n`,
  );
  const minutes = ((Date.now() - started) / 60_000).toFixed(1);
  say(`\n${minutes} min; tables in ${where}`);
  if (bench.failures > 0) say(`${bench.failures} failed; see ERROR above`);
  return bench.failures === 0 ? 0 : 1;
}

process.exitCode = await main();
