/**
 * Runs a scenario, then crashes it at every moment into every state that the disk may be in (or a
 * sample of them), recovers, and looks at what came back:
 *
 * - the server starts: a power failure alone is never a reason to refuse;
 * - nothing acknowledged is missing, and what is there is what history says was there at some zxid;
 * - recovering once more, or after a crash right after recovering, finds the same;
 * - life goes on: the next transactions are appended, and found again.
 *
 * For some states the recovery itself is crashed, at each of its moments.
 */
import { SeededRandom } from '../../base/random.js';
import type { Disk } from '../../ports/disk.js';
import { TxnBatch } from '../../protocol/txn-batch.js';
import { formatZxid, type Zxid } from '../../protocol/zxid.js';
import { listSnapshots, versionDirectory } from '../../storage/names.js';
import { Storage, type StorageOptions } from '../../storage/storage.js';
import { crashStates, Recording } from '../crash-states.js';
import { SimDisk } from '../disk.js';
import type { DiskImage } from '../disk-image.js';
import { boundsOf, exactly, outOfBounds, type Bounds } from './bounds.js';
import { checkEpochs } from './epochs.js';
import { describeState, History } from './history.js';
import type { CrashScenario } from './scenarios.js';
import { CrashWorld, dataDir, storageOptions, type CrashMark } from './world.js';

export interface ExploreOptions {
  readonly seed: number;
  /** States per moment: all, if there are no more than this. */
  readonly statesMax: number;
  /** One state in so many has its recovery crashed as well. 0: none. */
  readonly nestedEvery?: number;
  /** Returns false: enough. Asked for each moment. */
  readonly goOn?: () => boolean;
  /** For mutants: the disk as the storage sees it. */
  readonly wrap?: (disk: Disk) => Disk;
}

export interface Exploration {
  readonly moments: number;
  readonly states: number;
  /** One line each; none: all is well. */
  readonly violations: string[];
}

const violationsMax = 5;

interface Recorded {
  readonly recording: Recording<CrashMark>;
  /** Made before the recording began. */
  readonly earlier: readonly CrashMark[];
  readonly last: DiskImage;
}

export async function explore(
  scenario: CrashScenario,
  options: ExploreOptions,
): Promise<Exploration> {
  return await new Explorer(scenario, options).run();
}

class Explorer {
  readonly #scenario: CrashScenario;
  readonly #options: ExploreOptions;
  readonly #random: SeededRandom;
  readonly #history: History;
  readonly #violations: string[] = [];
  #states = 0;
  #where = '';

  constructor(scenario: CrashScenario, options: ExploreOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#history = new History(new SeededRandom(options.seed ^ 0x5eed));
  }

  async run(): Promise<Exploration> {
    const recorded = await this.#tryRecord();
    if (recorded === null) return { moments: 0, states: 0, violations: this.#violations };
    const { recording, earlier, last } = recorded;
    let moments = 0;
    for (const { at, image, marks } of recording.moments()) {
      if (this.#violations.length >= violationsMax || this.#options.goOn?.() === false) break;
      moments++;
      await this.#crash(
        image,
        boundsOf([...earlier, ...marks]),
        `moment ${at} of ${recording.length}`,
      );
    }
    if (this.#scenario.spareSnapshots !== undefined) await this.#damageSnapshots(last);
    return { moments, states: this.#states, violations: this.#violations };
  }

  /** A mutant may break the run itself: null, and a violation. */
  async #tryRecord(): Promise<Recorded | null> {
    if (this.#options.wrap === undefined) return await this.#record();
    try {
      return await this.#record();
    } catch (error) {
      this.#where = 'the run';
      return this.#violation('without a crash', error instanceof Error ? error.message : 'failed');
    }
  }

  async #record(): Promise<Recorded> {
    const { before, run, options = {} } = this.#scenario;
    const wrap = this.#options.wrap ?? ((disk) => disk);
    const random = new SeededRandom(this.#options.seed ^ 0xd1ce);
    const earlier: CrashMark[] = [];
    let recording: Recording<CrashMark> | null = null;
    const disk = new SimDisk({ onStep: (step) => recording?.onStep(step) });
    const world = new CrashWorld({
      disk: wrap(disk),
      sim: disk,
      history: this.#history,
      random,
      options,
      mark(mark) {
        if (recording === null) earlier.push(mark);
        else recording.mark(mark);
      },
    });
    await before?.(world);
    recording = new Recording<CrashMark>(disk.image);
    await run(world);
    return { recording, earlier, last: disk.image };
  }

  async #crash(image: DiskImage, bounds: Bounds, where: string): Promise<void> {
    const { seed, statesMax, nestedEvery = 0 } = this.#options;
    let index = 0;
    for (const state of crashStates(image, { seed: seed + this.#states, statesMax })) {
      if (this.#violations.length >= violationsMax) return;
      this.#where = `${where}, state ${index++}`;
      this.#states++;
      const isNested = nestedEvery > 0 && this.#random.below(nestedEvery) === 0;
      await this.#check(state, bounds, isNested);
    }
  }

  async #check(state: DiskImage, bounds: Bounds, isNested: boolean): Promise<void> {
    const recording = isNested ? new Recording<never>(state) : null;
    const disk = new SimDisk({
      image: state.clone(),
      ...(recording ? { onStep: recording.onStep } : {}),
    });
    const first = await this.#recover(disk, 'recovery', bounds);
    if (first === null) return;
    const found = exactly(first);
    await this.#recover(new SimDisk({ image: disk.image.clone() }), 'recovery again', found);
    await this.#recover(
      new SimDisk({ image: durableOf(disk.image) }),
      'crash after recovery',
      found,
    );
    if (recording === null) return;
    for (const moment of recording.moments()) {
      const { seed } = this.#options;
      for (const again of crashStates(moment.image, { seed: seed + moment.at, statesMax: 8 })) {
        this.#states++;
        await this.#recover(new SimDisk({ image: again }), 'crash in recovery', bounds);
      }
    }
  }

  /** What was found, or null and a violation. */
  async #recover(disk: SimDisk, what: string, bounds: Bounds): Promise<Zxid | null> {
    let storage: Storage | null = null;
    try {
      storage = Storage.open(this.#storageOptions(disk));
      const { tree, sessions, lastZxid } = await storage.recover();
      const wrong = outOfBounds(bounds, lastZxid);
      if (wrong !== null) return this.#violation(what, wrong);
      if (describeState(tree, sessions) !== this.#history.stateAt(lastZxid)) {
        return this.#violation(what, `the state at ${formatZxid(lastZxid)} is another one`);
      }
      if (this.#scenario.hasEpochFiles === true) {
        const line = await checkEpochs(disk, storage, lastZxid, bounds);
        if (line !== null) return this.#violation(what, line);
      }
      if (this.#random.below(4) === 0) await this.#goOn(disk, storage, lastZxid);
      return lastZxid;
    } catch (error) {
      return this.#violation(what, error instanceof Error ? error.message : String(error));
    } finally {
      disk.stop();
    }
  }

  /** Writes on from what was recovered, on a copy of the disk, and looks for it. */
  async #goOn(disk: SimDisk, storage: Storage, zxid: Zxid): Promise<void> {
    storage.close();
    const copy = new SimDisk({ image: durableOf(disk.image) });
    const again = Storage.open(this.#storageOptions(copy));
    await again.recover();
    const batch = new TxnBatch();
    // an error says nothing about the tree: it only takes the next zxid
    const writer = batch.begin();
    writer.writeLong(1n);
    writer.writeInt(1);
    writer.writeLong(zxid + 1n);
    writer.writeLong(1n);
    writer.writeInt(-1);
    writer.writeInt(-110);
    batch.finish();
    again.append(batch);
    await new Promise<void>((resolve) => {
      again.flush(resolve);
    });
    copy.stop();
    const last = Storage.open(this.#storageOptions(new SimDisk({ image: durableOf(copy.image) })));
    const { lastZxid } = await last.recover();
    if (lastZxid !== zxid + 1n) this.#violation('going on', `the last is ${formatZxid(lastZxid)}`);
  }

  /** Purging keeps what it says it keeps: the newest snapshots may all be damaged but one. */
  async #damageSnapshots(image: DiskImage): Promise<void> {
    const state = durableOf(image);
    const { zxid } = this.#history;
    for (let damaged = 1; damaged <= (this.#scenario.spareSnapshots ?? 0); damaged++) {
      const disk = new SimDisk({ image: state.clone() });
      const names = listSnapshots(disk, `${dataDir}/${versionDirectory}`).slice(0, damaged);
      for (const { path } of names) disk.corrupt(path, 60, 0x10);
      this.#where = `the end, ${damaged} snapshots damaged`;
      this.#states++;
      await this.#recover(disk, 'recovery', exactly(zxid));
    }
  }

  #storageOptions(disk: Disk): StorageOptions {
    return storageOptions(disk, this.#scenario.options);
  }

  #violation(what: string, line: string): null {
    const { name } = this.#scenario;
    const { seed } = this.#options;
    this.#violations.push(`${name} (seed ${seed}), ${this.#where}, ${what}: ${line}`);
    return null;
  }
}

/** What is left when everything that was not durable is lost. */
function durableOf(image: DiskImage): DiskImage {
  for (const state of crashStates(image, { seed: 0, statesMax: 2 })) return state;
  return image;
}
