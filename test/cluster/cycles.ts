/**
 * What every cluster test of many cycles does: one disturbance after the other to one ensemble, each
 * followed by a look at what is left, a line a cycle that says how long the rest may take, and a sum.
 * A cycle that ends with problems does not end the run; one that cannot be ended does.
 */
import type { Members } from './members.js';

export interface CycleResult {
  readonly problems: readonly string[];
  readonly shown: string;
}

export interface CycleTrial {
  readonly members: Members;
  /** Heard of and not told with a cycle. */
  readonly problems: readonly string[];
  readonly acknowledged: number;
  /** What servers and clients need before the first cycle. */
  start(): Promise<void>;
  /** Throws when the ensemble cannot be brought to rest. */
  cycle(name: string): Promise<CycleResult>;
  /** What the test has measured, a line each. */
  summary(): readonly string[];
  dispose(isToBeKept: boolean): Promise<void>;
}

/** Problems of one cycle that are shown. */
const SHOWN = 10;

/** The names asked for (`--only a,b`), all of them without. Throws when there is no such name. */
export function namesAmong(known: readonly string[], asked: string | undefined): readonly string[] {
  const only = asked?.split(',') ?? known;
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length === 0) return only;
  throw new Error(`no ${unknown.join(', ')}; there are: ${known.join(', ')}`);
}

/** The exit code of a run through `planned`, told line by line. */
export async function runCycles(
  trial: CycleTrial,
  planned: readonly string[],
  seed: number,
): Promise<number> {
  const startMs = performance.now();
  const all = planned.length;
  let passed = 0;
  let failed = 0;
  let problemCount = 0;
  const report = (where: string, problems: readonly string[]): void => {
    problemCount += problems.length;
    for (const problem of problems.slice(0, SHOWN)) console.log(`FAIL ${where}: ${problem}`);
  };
  try {
    await trial.start();
    for (const [index, name] of planned.entries()) {
      const { problems, shown } = await trial.cycle(name);
      const where = `cycle ${index + 1} of ${all}, seed ${seed}, ${name}`;
      report(where, problems);
      if (problems.length === 0) passed++;
      else failed++;
      const tookMs = performance.now() - startMs;
      const left = `${seconds((tookMs / (index + 1)) * (all - index - 1))} left`;
      console.log(`${where}: ${shown}, ${problems.length} problems; ${seconds(tookMs)}, ${left}`);
    }
  } catch (error) {
    failed++;
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    report(`cycle ${passed + failed} of ${all}, seed ${seed}`, [why, ...trial.problems]);
  } finally {
    await trial.dispose(failed > 0);
  }
  const took = seconds(performance.now() - startMs);
  for (const line of trial.summary()) console.log(line);
  console.log(`${trial.acknowledged} acknowledged writes, ${problemCount} problems, ${took}`);
  if (failed > 0) console.log(`what the servers left behind: ${trial.members.home}`);
  console.log(`${passed} passed, ${failed} failed, ${all - passed - failed} skipped`);
  return failed === 0 ? 0 : 1;
}

function seconds(ms: number): string {
  const all = Math.round(ms / 1000);
  return all < 60 ? `${all} s` : `${Math.floor(all / 60)} min ${all % 60} s`;
}
