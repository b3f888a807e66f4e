/**
 * Which disks a power failure may leave behind. A run is recorded as its changes; for each moment of
 * it this file enumerates the legal images (the model of ALICE, OSDI '14):
 *
 * - a file's sectors are written back one by one in any order, each with what it held after some of
 *   the changes since the last sync: the first k of those that touched it, for any k;
 * - the file's length is written back apart from its data: data may be missing where the length is
 *   there (zeros: delayed allocation), or the length where the data is there (then it is not seen);
 * - a directory's changes (create, rename, unlink) become durable in any combination until its sync.
 *
 * So the state of a disk is a choice for each of a number of independent units. Few units are
 * enumerated exhaustively; for many, the extremes (all old, all new, all but one) and random ones.
 */
import { present } from '../base/assert.js';
import { SeededRandom } from '../base/random.js';
import {
  applyFileChange,
  applyNameChange,
  DiskImage,
  type DirectoryInode,
  type FileInode,
  type ImageStep,
} from './disk-image.js';
import { Sparse } from './sparse.js';

export interface CrashStateOptions {
  readonly seed: number;
  /** What the device writes in one piece. */
  readonly sectorBytes?: number;
  /** Up to so many states of one moment are all visited; of more, so many are chosen. */
  readonly statesMax?: number;
}

/** One independent choice: how many versions there are to choose from, and what choosing one does. */
interface Unit {
  readonly versions: number;
  apply(version: number): void;
}

/** Where the chosen versions are put together. Reused from state to state. */
interface Draft {
  readonly units: Unit[];
  /** Back to what is durable. */
  reset(): void;
  take(): DiskImage;
}

/** Every state (or a sample) that the disk may be in after a crash at this moment. */
export function* crashStates(image: DiskImage, options: CrashStateOptions): Generator<DiskImage> {
  const draft = draftOf(image, options.sectorBytes ?? 512);
  const statesMax = options.statesMax ?? 4096;
  const choices =
    stateCount(draft.units) <= statesMax
      ? allChoices(draft.units)
      : sampledChoices(draft.units, statesMax, new SeededRandom(options.seed));
  for (const choice of choices) {
    draft.reset();
    for (const [index, unit] of draft.units.entries()) unit.apply(choice[index] ?? 0);
    yield draft.take();
  }
}

function stateCount(units: readonly Unit[]): number {
  return units.reduce((product, unit) => product * unit.versions, 1);
}

function* allChoices(units: readonly Unit[]): Generator<number[]> {
  const choice = units.map(() => 0);
  for (;;) {
    yield choice;
    let digit = 0;
    for (; digit < units.length; digit++) {
      const next = (choice[digit] ?? 0) + 1;
      choice[digit] = next === units[digit]?.versions ? 0 : next;
      if (choice[digit] !== 0) break;
    }
    if (digit === units.length) return;
  }
}

function* sampledChoices(
  units: readonly Unit[],
  count: number,
  random: SeededRandom,
): Generator<number[]> {
  const newest = units.map((unit) => unit.versions - 1);
  const oldest = units.map(() => 0);
  yield oldest;
  yield newest;
  let left = count - 2;
  // half of the budget for single exceptions, evenly spread when there are more units than that
  const stride = Math.max(1, Math.ceil((units.length * 4) / Math.max(1, left)));
  for (let i = random.below(stride); i < units.length; i += stride) {
    yield newest.with(i, 0);
    yield oldest.with(i, newest[i] ?? 0);
    left -= 2;
  }
  for (; left > 0; left--) {
    const bias = random.pick([0.05, 0.5, 0.95]);
    yield units.map((unit) => {
      if (random.chance(0.5)) return random.chance(bias) ? unit.versions - 1 : 0;
      return random.below(unit.versions);
    });
  }
}

function draftOf(image: DiskImage, sectorBytes: number): Draft {
  const units: Unit[] = [];
  const contents = new Map<number, Sparse>();
  const names = new Map<number, Map<string, number>>();
  for (const [number, inode] of image.inodes) {
    if (inode.pending.length === 0) continue;
    const found =
      inode.kind === 'file'
        ? fileUnits(inode, sectorBytes, () => present(contents.get(number), 'drafted'))
        : directoryUnits(inode, () => present(names.get(number), 'drafted'));
    for (const unit of found) units.push(unit);
  }
  return {
    units,
    reset() {
      for (const [number, inode] of image.inodes) {
        if (inode.kind === 'file') contents.set(number, inode.durable.clone());
        else names.set(number, new Map(inode.durable));
      }
    },
    take() {
      const state = new DiskImage();
      for (const [number, inode] of image.inodes) {
        if (!state.inodes.has(number)) state.step({ kind: inode.kind, inode: number });
        if (inode.kind === 'file') {
          const file = state.file(number);
          file.durable = present(contents.get(number), 'drafted');
          file.now = file.durable.clone();
        } else {
          const directory = state.directory(number);
          directory.durable = present(names.get(number), 'drafted');
          directory.now = new Map(directory.durable);
        }
      }
      return state;
    },
  };
}

function fileUnits(file: FileInode, sectorBytes: number, content: () => Sparse): Unit[] {
  const sizes: number[] = [file.durable.size];
  const sectors = new Map<number, Uint8Array[]>();
  const scratch = file.durable.clone();
  const sectorNow = (index: number): Uint8Array => {
    const bytes = new Uint8Array(sectorBytes);
    scratch.read(bytes, 0, sectorBytes, index * sectorBytes);
    return bytes;
  };
  for (const change of file.pending) {
    const from = change.kind === 'write' ? change.position : Math.min(change.size, scratch.size);
    const to = change.kind === 'write' ? change.position + change.bytes.length : scratch.size;
    // where nothing was ever written there is nothing to write back either: only the size changes
    const touched =
      change.kind === 'write'
        ? range(Math.floor(from / sectorBytes), Math.ceil(to / sectorBytes))
        : scratch.written(from, to, sectorBytes);
    for (const i of touched) if (!sectors.has(i)) sectors.set(i, [sectorNow(i)]);
    applyFileChange(scratch, change);
    for (const i of touched) sectors.get(i)?.push(sectorNow(i));
    if (sizes.at(-1) !== scratch.size) sizes.push(scratch.size);
  }
  const units: Unit[] = [...sectors].map(([index, versions]) => ({
    versions: versions.length,
    apply(version) {
      if (version > 0) {
        const bytes = present(versions[version], 'a version');
        content().write(bytes, 0, sectorBytes, index * sectorBytes);
      }
    },
  }));
  // last, so that it cuts off what was written back beyond it
  units.push({
    versions: sizes.length,
    apply(version) {
      content().resize(present(sizes[version], 'a size'));
    },
  });
  return units;
}

function range(first: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
}

function directoryUnits(directory: DirectoryInode, names: () => Map<string, number>): Unit[] {
  return directory.pending.map((change) => ({
    versions: 2,
    apply(version) {
      if (version === 1) applyNameChange(names(), change);
    },
  }));
}

/** A run of a process on a simulated disk, to be cut off at any moment of it. */
export class Recording<Mark> {
  readonly #base: DiskImage;
  readonly #events: ({ readonly step: ImageStep } | { readonly mark: Mark })[] = [];

  /** `base` is the disk's image before the first step. */
  constructor(base: DiskImage) {
    this.#base = base.clone();
  }

  readonly onStep = (step: ImageStep): void => {
    this.#events.push({ step });
  };

  /** Notes what the process told the outside world at this moment: acknowledgements, mostly. */
  mark(mark: Mark): void {
    this.#events.push({ mark });
  }

  get length(): number {
    return this.#events.length;
  }

  /**
   * The image before each event and after the last, with the marks that had been made by then. The
   * image is lent: it goes on with the next moment.
   */
  *moments(): Generator<{
    readonly at: number;
    readonly image: DiskImage;
    readonly marks: Mark[];
  }> {
    const image = this.#base.clone();
    const marks: Mark[] = [];
    yield { at: 0, image, marks };
    for (const [index, event] of this.#events.entries()) {
      if ('step' in event) image.step(event.step);
      else marks.push(event.mark);
      yield { at: index + 1, image, marks };
    }
  }
}
