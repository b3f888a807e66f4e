/**
 * Bugs of ensembles put back in (see ../mutants.ts): each is one of those that have lost transactions
 * of real ensembles. Some are lies of a disk, some replace a method for the length of a run, which is
 * why runs with mutants are made one at a time.
 */
import type { DiskError, DiskFile, OpenMode } from '../../ports/disk.js';
import { EpochFiles } from '../../storage/epoch-files.js';
import { Election } from '../../zab/election.js';
import { Leader } from '../../zab/leader.js';
import { Learner } from '../../zab/learner.js';
import type { LearnerLink } from '../../zab/learner-link.js';
import { SyncBarriers } from '../../zab/sync-barriers.js';
import type { ZxidPair } from '../../zab/sync-choice.js';
import { ForwardingDisk, ForwardingFile } from '../forwarding.js';
import { faultNames, type EnsembleParameters } from './parameters.js';
import type { EnsembleSabotage } from './sim-member.js';

export interface EnsembleMutant {
  readonly name: string;
  /** One that kills it. */
  readonly seed: number;
  readonly make: () => EnsembleSabotage;
}

// ------------------------------------------------------------------ disks that lie

export class FlushTooEarly extends ForwardingFile {
  override flush(done: (error: DiskError | null) => void): void {
    done(null);
    this.inner.flush(() => undefined);
  }
}

class SyncLies extends ForwardingFile {
  override sync(): Promise<void> {
    return Promise.resolve();
  }
}

export function onFiles(prefix: string, wrap: (file: DiskFile) => DiskFile): EnsembleSabotage {
  class Wrapping extends ForwardingDisk {
    override openNow(path: string, mode: OpenMode): DiskFile {
      const file = this.inner.openNow(path, mode);
      return path.slice(path.lastIndexOf('/') + 1).startsWith(prefix) ? wrap(file) : file;
    }
  }
  return { wrapWorld: (world) => ({ ...world, disk: new Wrapping(world.disk) }) };
}

// ------------------------------------------------------------------ parts replaced

/** Replaces methods of a class; what it makes takes that back. */
export function replacing<Part extends object>(
  part: { readonly prototype: Part },
  make: (original: Part) => Partial<Part> & ThisType<Part>,
): EnsembleSabotage {
  return {
    patch() {
      const { prototype } = part;
      const original = Object.create(
        null,
        Object.getOwnPropertyDescriptors(prototype),
      ) as unknown as Part;
      const replaced = make(original);
      const names = Object.keys(replaced);
      const before = names.map((name) => Object.getOwnPropertyDescriptor(prototype, name));
      Object.assign(prototype, replaced);
      return () => {
        for (const [i, name] of names.entries()) {
          const descriptor = before[i];
          if (descriptor !== undefined) Object.defineProperty(prototype, name, descriptor);
        }
      };
    },
  };
}

/** Replaces what a class answers when it is asked for this. */
export function answering<Part extends object>(
  part: { readonly prototype: Part },
  name: keyof Part,
  get: (this: Part) => unknown,
): EnsembleSabotage {
  return {
    patch() {
      const { prototype } = part;
      const before = Object.getOwnPropertyDescriptor(prototype, name);
      Object.defineProperty(prototype, name, { configurable: true, get });
      return () => {
        if (before !== undefined) Object.defineProperty(prototype, name, before);
      };
    },
  };
}

/** What a server has acknowledged counts though its connection is gone and it has come by another. */
function acksBySid(): EnsembleSabotage {
  let isComing = false;
  const hidden = new WeakSet<LearnerLink>();
  const hide = (link: LearnerLink): void => {
    if (hidden.has(link)) return;
    hidden.add(link);
    const { sid } = link;
    Object.defineProperty(link, 'sid', { get: () => (isComing ? -1 : sid) });
  };
  const sabotage = replacing(Leader, (original) => ({
    onLinkDown() {
      // it may come back
    },
    onLearnerInfo(link, info, nowMs) {
      for (const other of this.links()) if (other.sid === info.sid) hide(other);
      isComing = true;
      original.onLearnerInfo.call(this, link, info, nowMs);
      isComing = false;
    },
  }));
  return { ...sabotage, tune: withSlowDisks };
}

/** A server comes back, and cuts off what it acknowledged, while the others still write it. */
function withSlowDisks(drawn: EnsembleParameters): EnsembleParameters {
  const never = Object.fromEntries(faultNames.map((name) => [name, Infinity]));
  return {
    ...drawn,
    disk: { flushMs: 40, callMs: 2, spikeChance: 0.05, spikeMs: 500, errorChance: 0 },
    faults: { ...(never as EnsembleParameters['faults']), linkReset: 100 },
    clients: drawn.clients.map((traits) => ({ ...traits, thinkMs: 5 })),
  };
}

/** Of links to learners, as the leader reads it; `field` is what it has been told otherwise. */
function believing(field: 'hasHistory' | 'hasPromised'): EnsembleSabotage {
  return replacing(Leader, (original) => ({
    onLearnerInfo(link, info, nowMs) {
      original.onLearnerInfo.call(this, link, info, nowMs);
      for (const learner of this.links()) {
        if (learner.id !== link) continue;
        Object.defineProperty(learner, field, { get: () => true, set: () => undefined });
      }
    },
  }));
}

/** All of what they replace is replaced. */
export function together(...parts: readonly EnsembleSabotage[]): EnsembleSabotage {
  return {
    patch() {
      const restores = parts.map((part) => part.patch?.() ?? ((): void => undefined));
      return () => {
        for (const restore of restores.reverse()) restore();
      };
    },
  };
}

/** An emptied voter votes and promises as if it had always been empty. */
function wipedVote(): EnsembleSabotage {
  const voting = replacing(Election, (original) => ({
    start(nowMs, own) {
      original.start.call(this, nowMs, { ...own, isBlank: false });
    },
  }));
  return { ...together(voting, believing('hasHistory')), tune: withWipes };
}

/** Servers are emptied, and leaders die with what they know. */
function withWipes(drawn: EnsembleParameters): EnsembleParameters {
  const never = Object.fromEntries(faultNames.map((name) => [name, Infinity]));
  const faults = { ...(never as EnsembleParameters['faults']), wipe: 1500, killProcess: 700 };
  return { ...drawn, faults, restartMs: 500 };
}

export const ensembleMutants: readonly EnsembleMutant[] = [
  {
    name: 'acknowledges a proposal before its flush has ended',
    seed: 3,
    make: () => onFiles('log.', (file) => new FlushTooEarly(file)),
  },
  {
    name: 'an epoch is promised before that is durable',
    seed: 1,
    make: () => onFiles('.acceptedEpoch', (file) => new SyncLies(file)),
  },
  {
    name: 'the current epoch is written before its history',
    seed: 3,
    make: () =>
      replacing(EpochFiles, (original) => ({
        async beginCurrentEpoch(epoch) {
          await original.beginCurrentEpoch.call(this, epoch);
          await original.finishCurrentEpoch.call(this);
        },
      })),
  },
  {
    name: 'proposals are committed when they are sent',
    seed: 3,
    make: () =>
      replacing(Leader, (original) => ({
        handOver(batch) {
          original.handOver.call(this, batch);
          for (const link of this.links()) link.ackedLow = this.proposedLow;
        },
      })),
  },
  {
    name: 'acknowledgements belong to servers instead of connections',
    seed: 54,
    make: acksBySid,
  },
  {
    name: 'a wiped voter votes',
    seed: 13,
    make: wipedVote,
  },
  {
    name: 'a commit overtakes the answer to a sync',
    seed: 1,
    make: () => ({
      ...replacing(SyncBarriers, () => ({
        stopBefore: (low) => low,
        overtaken: () => [],
      })),
      // many are acknowledged at once
      tune: withSlowDisks,
    }),
  },
  {
    name: 'a learner keeps what it is told to cut off',
    seed: 28,
    make: () =>
      replacing(Learner, () => ({
        onTrunc(_to: ZxidPair, nowMs: number) {
          this.onDiff(nowMs);
        },
      })),
  },
];
