/**
 * A disk that refuses once: for every call that a scenario makes, that call fails, in each of the ways
 * in which calls fail. Whatever the storage does then (stop, give up a snapshot, refuse to start),
 * afterwards, on a disk that works again, nothing acknowledged may be missing.
 */
import { SeededRandom } from '../../base/random.js';
import { DiskError } from '../../ports/disk.js';
import { formatZxid, type Zxid } from '../../protocol/zxid.js';
import { StartError } from '../../storage/start-error.js';
import { Storage } from '../../storage/storage.js';
import { TruncateError } from '../../storage/truncate.js';
import { crashStates } from '../crash-states.js';
import { SimDisk, type DiskFault } from '../disk.js';
import type { DiskImage } from '../disk-image.js';
import { boundsOf, exactly, outOfBounds, type Bounds } from './bounds.js';
import { checkEpochs } from './epochs.js';
import type { Exploration } from './explore.js';
import { describeState, History } from './history.js';
import type { CrashScenario } from './scenarios.js';
import { CrashWorld, storageOptions, type CrashMark } from './world.js';

export const onceFaults: readonly DiskFault[] = [
  { kind: 'error', code: 'EIO' },
  { kind: 'error', code: 'ENOSPC', bytesWritten: 21 },
  { kind: 'clean', code: 'EIO' },
];

export interface FaultOptions {
  readonly seed: number;
  readonly faults?: readonly DiskFault[];
  /** States per crash. */
  readonly statesMax: number;
  readonly goOn?: () => boolean;
}

const violationsMax = 5;

export async function exploreFaults(
  scenario: CrashScenario,
  options: FaultOptions,
): Promise<Exploration> {
  return await new FaultExplorer(scenario, options).run();
}

class FaultExplorer {
  readonly #scenario: CrashScenario;
  readonly #options: FaultOptions;
  readonly #violations: string[] = [];
  #states = 0;
  #moments = 0;

  constructor(scenario: CrashScenario, options: FaultOptions) {
    this.#scenario = scenario;
    this.#options = options;
  }

  async run(): Promise<Exploration> {
    for (const fault of this.#options.faults ?? onceFaults) {
      for (let call = 0; ; call++) {
        if (this.#violations.length >= violationsMax) break;
        if (this.#options.goOn?.() === false) break;
        if (!(await this.#failAt(call, fault))) break;
        this.#moments++;
      }
    }
    return { moments: this.#moments, states: this.#states, violations: this.#violations };
  }

  /** False: the scenario makes fewer calls. */
  async #failAt(call: number, fault: DiskFault): Promise<boolean> {
    const { seed } = this.#options;
    const { before, run, options, deletesForGood = false } = this.#scenario;
    const history = new History(new SeededRandom(seed ^ 0x5eed));
    const marks: CrashMark[] = [];
    let first = Number.POSITIVE_INFINITY;
    let hit = '';
    const disk = new SimDisk({
      faultOf({ index, name, path }) {
        if (index - first !== call) return null;
        const isName = fault.kind === 'clean' && name === 'syncDirectory';
        if (isName && deletesForGood) {
          hit = 'nothing';
          return null;
        }
        hit = `${fault.kind} at ${name} of ${path}`;
        return fault;
      },
    });
    const ended: { at: { image: DiskImage; bounds: Bounds } | null } = { at: null };
    const stop = (): void => {
      ended.at ??= { image: disk.image.clone(), bounds: boundsOf(marks) };
    };
    let onFatal = (): void => undefined;
    const fatal = new Promise<void>((resolve) => {
      onFatal = resolve;
    });
    const world = new CrashWorld({
      disk,
      sim: disk,
      history,
      random: new SeededRandom(seed ^ 0xd1ce),
      options: {
        ...options,
        onFatal() {
          stop();
          onFatal();
        },
      },
      mark(mark) {
        // after onFatal the process is gone
        if (ended.at === null) marks.push(mark);
      },
    });
    await before?.(world);
    first = disk.calls;
    const outcome = run(world).catch((error: unknown) => {
      if (error instanceof DiskError || error instanceof StartError) return;
      if (error instanceof TruncateError) return;
      throw error;
    });
    await Promise.race([outcome, fatal]);
    stop();
    if (hit === '' || ended.at === null) return false;
    await this.#crash(ended.at, history, `call ${call}, ${hit}`);
    return true;
  }

  async #crash(
    { image, bounds }: { readonly image: DiskImage; readonly bounds: Bounds },
    history: History,
    where: string,
  ): Promise<void> {
    const { seed, statesMax } = this.#options;
    for (const state of crashStates(image, { seed, statesMax })) {
      await this.#recover(new SimDisk({ image: state }), history, where, bounds);
    }
    // only the process ended: what it wrote is in the cache, marked clean perhaps. A server that found
    // it there and served it must still have it when the power fails after all
    const sameMachine = new SimDisk({ image: image.clone() });
    const found = await this.#recover(sameMachine, history, `${where}, restarted`, bounds);
    if (found === null) return;
    for (const state of crashStates(sameMachine.image, { seed, statesMax })) {
      const disk = new SimDisk({ image: state });
      await this.#recover(disk, history, `${where}, restarted, power failure`, exactly(found));
    }
  }

  async #recover(
    disk: SimDisk,
    history: History,
    where: string,
    bounds: Bounds,
  ): Promise<Zxid | null> {
    this.#states++;
    try {
      const storage = Storage.open(storageOptions(disk, this.#scenario.options));
      const { tree, sessions, lastZxid } = await storage.recover();
      const wrong = outOfBounds(bounds, lastZxid);
      if (wrong !== null) return this.#violation(where, wrong);
      if (describeState(tree, sessions) !== history.stateAt(lastZxid)) {
        return this.#violation(where, `the state at ${formatZxid(lastZxid)} is another one`);
      }
      if (this.#scenario.hasEpochFiles === true) {
        const line = await checkEpochs(disk, storage, lastZxid, bounds);
        if (line !== null) return this.#violation(where, line);
      }
      return lastZxid;
    } catch (error) {
      return this.#violation(where, error instanceof Error ? error.message : String(error));
    } finally {
      disk.stop();
    }
  }

  #violation(where: string, line: string): null {
    if (this.#violations.length < violationsMax) {
      this.#violations.push(
        `${this.#scenario.name} (seed ${this.#options.seed}), ${where}: ${line}`,
      );
    }
    return null;
  }
}
