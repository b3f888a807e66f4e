/**
 * Bugs put back in (see ../mutants.ts) that a scenario brings to light: for each rule that keeps
 * history there is one that breaks it, so that no story is one that cannot go wrong.
 */
import { DiskError, type Disk, type DiskFile, type OpenMode } from '../../../ports/disk.js';
import { HistorySender } from '../../../server/ensemble/history-sender.js';
import { EarlyLinks } from '../../../server/ensemble/early-link.js';
import { Elections } from '../../../server/ensemble/elections.js';
import { Leading } from '../../../server/ensemble/leading.js';
import { Learning } from '../../../server/ensemble/learning.js';
import { ReadOnlyReplica } from '../../../server/read-only-replica.js';
import { ReadyLoop } from '../../../server/ready-loop.js';
import { RoleStorage } from '../../../server/ensemble/role-storage.js';
import { EpochFiles } from '../../../storage/epoch-files.js';
import { exitCodes, StartError } from '../../../storage/start-error.js';
import { Storage } from '../../../storage/storage.js';
import { SessionTracker } from '../../../session/tracker.js';
import { DigestHistory } from '../../../tree/digest-history.js';
import { epochOf } from '../../../protocol/zxid.js';
import { Broadcast } from '../../../zab/broadcast.js';
import { CommittedLog } from '../../../zab/committed-log.js';
import { Election } from '../../../zab/election.js';
import { Leader } from '../../../zab/leader.js';
import { Learner } from '../../../zab/learner.js';
import { Mandate } from '../../../zab/mandate.js';
import { ForwardingDisk, ForwardingFile } from '../../forwarding.js';
import { balancerMutants } from '../balancer-mutants.js';
import { answering, ensembleMutants, onFiles, replacing, together } from '../mutants.js';
import { oracleMutants } from '../oracle-mutants.js';
import { reconfigMutants } from '../reconfig-mutants.js';
import type { EnsembleSabotage } from '../sim-member.js';
import { undecidedMutants } from './undecided-mutants.js';

export interface ScenarioMutant {
  readonly name: string;
  readonly make: () => EnsembleSabotage;
}

// ------------------------------------------------------------------ disks

class FlushIgnored extends ForwardingFile {
  override flush(done: (error: DiskError | null) => void): void {
    this.inner.flush(() => {
      done(null);
    });
  }
}

/** Whatever a disk says about files of that name, nobody listens. */
class Unheeded extends ForwardingFile {
  override writeNow(bytes: Uint8Array, start: number, end: number, position: number): void {
    unheeded(() => {
      this.inner.writeNow(bytes, start, end, position);
    });
  }

  override async sync(): Promise<void> {
    await this.inner.sync().catch(() => undefined);
  }
}

function unheeded(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}

class EpochsUnheeded extends ForwardingDisk {
  override openNow(path: string, mode: OpenMode): DiskFile {
    const file = this.inner.openNow(path, mode);
    return path.endsWith('Epoch.tmp') ? new Unheeded(file) : file;
  }

  override async rename(from: string, to: string): Promise<void> {
    const renaming = this.inner.rename(from, to);
    await (from.endsWith('Epoch.tmp') ? renaming.catch(() => undefined) : renaming);
  }
}

class SnapshotsStay extends ForwardingDisk {
  override unlink(path: string): Promise<void> {
    return path.includes('/snapshot.') ? Promise.resolve() : this.inner.unlink(path);
  }
}

class NamedLater extends ForwardingDisk {
  override rename(from: string, to: string): Promise<void> {
    const name = /^(.*\/snapshot\.)([0-9a-f]+)(.*)$/.exec(to);
    const isOwn = name !== null && name[2] !== '0' && !from.includes('.install');
    if (!isOwn) return this.inner.rename(from, to);
    const [, before = '', zxid = '', after = ''] = name;
    return this.inner.rename(from, `${before}${(BigInt(`0x${zxid}`) + 3n).toString(16)}${after}`);
  }
}

class SnapshotsMatter extends ForwardingDisk {
  readonly #onFatal: (error: Error) => void;

  constructor(inner: Disk, onFatal: (error: Error) => void) {
    super(inner);
    this.#onFatal = onFatal;
  }

  override openNow(path: string, mode: OpenMode): DiskFile {
    const file = this.inner.openNow(path, mode);
    return path.includes('snapshot.') ? new Fatal(file, this.#onFatal) : file;
  }
}

class Fatal extends ForwardingFile {
  readonly #onFatal: (error: Error) => void;

  constructor(inner: DiskFile, onFatal: (error: Error) => void) {
    super(inner);
    this.#onFatal = onFatal;
  }

  override async write(
    bytes: Uint8Array,
    start: number,
    end: number,
    position: number,
  ): Promise<void> {
    try {
      await this.inner.write(bytes, start, end, position);
    } catch (error) {
      if (error instanceof DiskError) this.#onFatal(error);
      throw error;
    }
  }
}

// ------------------------------------------------------------------ histories

/** No role hands over what it has logged and not applied. */
function forgetfulRoles(): EnsembleSabotage {
  const nothing = replacing(Learning, (original) => ({
    takeRest() {
      original.takeRest.call(this);
      return [];
    },
  }));
  const either = replacing(Leading, (original) => ({
    takeRest() {
      original.takeRest.call(this);
      return [];
    },
  }));
  return together(nothing, either);
}

/** What its roles are told to persist, they are told has been persisted. */
function persistedAtOnce(): EnsembleSabotage {
  return replacing(RoleStorage, (original) => ({
    persist(persist, rebase, done) {
      const isHistory = persist.finishEpoch;
      original.persist.call(this, persist, rebase, isHistory ? () => undefined : done);
      if (isHistory) queueMicrotask(done);
    },
  }));
}

function patientLeader(): EnsembleSabotage {
  return replacing(Leader, (original) => ({
    tick(nowMs) {
      for (const link of this.links()) link.lastHeardMs = nowMs;
      original.tick.call(this, nowMs);
    },
  }));
}

function patientLearner(): EnsembleSabotage {
  return replacing(Learner, (original) => ({
    tick(nowMs) {
      if (this.isServing) this.onHeard(nowMs);
      original.tick.call(this, nowMs);
    },
  }));
}

export const scenarioMutants: readonly ScenarioMutant[] = [
  ...ensembleMutants,
  ...reconfigMutants,
  ...oracleMutants,
  ...undecidedMutants,
  ...balancerMutants,
  {
    name: 'votes leave the epoch out',
    make: () =>
      replacing(Election, (original) => ({
        start(nowMs, own) {
          original.start.call(this, nowMs, { ...own, peerEpoch: 0 });
        },
      })),
  },
  {
    name: 'who has decided is not listened to',
    make: () =>
      replacing(Election, (original) => ({
        onNotification(from, notification, nowMs) {
          if (notification.state !== 'looking') return;
          original.onNotification.call(this, from, notification, nowMs);
        },
      })),
  },
  {
    name: 'a counter goes on to its end',
    make: () => answering(Broadcast, 'isExhausted', () => false),
  },
  { name: 'a leader waits for those who say nothing', make: patientLeader },
  {
    name: 'nobody minds silence',
    make: () => together(patientLeader(), patientLearner()),
  },
  {
    name: 'a history that is newer than its epoch is refused',
    make: () =>
      replacing(EpochFiles, (original) => ({
        async recover(lastLogged) {
          const { currentEpoch } = this;
          if (currentEpoch !== null && epochOf(lastLogged) > currentEpoch) {
            throw new StartError('the history is newer than its epoch', exitCodes.unexpected);
          }
          await original.recover.call(this, lastLogged);
        },
      })),
  },
  {
    name: 'an epoch that cannot be written is promised all the same',
    make: () => ({ wrapWorld: (world) => ({ ...world, disk: new EpochsUnheeded(world.disk) }) }),
  },
  {
    name: 'NEWLEADER is acknowledged before the epoch is the current one',
    make: () =>
      replacing(EpochFiles, (original) => ({
        finishCurrentEpoch() {
          void original.finishCurrentEpoch.call(this);
          return Promise.resolve();
        },
      })),
  },
  {
    name: 'a proposal that was not wholly read is taken as it is',
    make: () =>
      replacing(Learner, (original) => ({
        onProposal(bytes, start, end, nowMs) {
          const changed = bytes.slice(start, end);
          // the same zxid, and not the same transaction
          if (this.isServing && nowMs % 7 < 1) changed[24 + 3] = (changed[24 + 3] ?? 0) ^ 1;
          original.onProposal.call(this, changed, 0, changed.length, nowMs);
        },
      })),
  },
  {
    name: 'digests are noted while what is replayed is not what was',
    make: () => {
      let recovering = 0;
      return together(
        replacing(Storage, (original) => ({
          async recover(onProgress) {
            recovering++;
            const recovered = await original.recover.call(this, onProgress);
            recovering--;
            return recovered;
          },
        })),
        replacing(DigestHistory, (original) => ({
          clear() {
            if (recovering === 0) original.clear.call(this);
          },
        })),
      );
    },
  },
  {
    name: 'a snapshot that cannot be written ends the process',
    make: () => ({
      wrapWorld: (world) => ({
        ...world,
        disk: new SnapshotsMatter(world.disk, (error) => world.onFatal(error)),
      }),
    }),
  },
  {
    name: 'a snapshot is named after what comes later',
    make: () => ({ wrapWorld: (world) => ({ ...world, disk: new NamedLater(world.disk) }) }),
  },
  {
    name: 'nobody expires after a restart',
    make: () =>
      replacing(SessionTracker, () => ({
        expire() {
          // they live for ever
        },
      })),
  },
  { name: 'memory forgets what was not committed', make: forgetfulRoles },
  { name: 'a synchronisation is acknowledged before it is durable', make: persistedAtOnce },
  {
    name: 'a flush is not waited for in a synchronisation',
    make: () =>
      replacing(Storage, (original) => ({
        flush(done) {
          original.flush.call(this, () => undefined);
          done();
        },
      })),
  },
  {
    name: 'a commit before UPTODATE is unexpected',
    make: () =>
      replacing(Learner, (original) => ({
        onCommit(high, low, nowMs) {
          if (this.link !== null && this.epoch === high && !this.isServing) {
            this.stop('a commit before UPTODATE');
          } else original.onCommit.call(this, high, low, nowMs);
        },
      })),
  },
  {
    name: 'a flush that the disk refuses is taken for done',
    make: () => onFiles('log.', (file) => new FlushIgnored(file)),
  },
  {
    name: 'a snapshot that is newer than the cut stays',
    make: () => ({ wrapWorld: (world) => ({ ...world, disk: new SnapshotsStay(world.disk) }) }),
  },
  {
    name: 'a difference lacks its first transactions',
    make: () =>
      replacing(CommittedLog, (original) => ({
        forEachAfter(high, low, visit) {
          let isFirst = true;
          original.forEachAfter.call(this, high, low, (range) => {
            if (!isFirst) visit(range);
            isFirst = false;
          });
        },
      })),
  },
  {
    name: 'a snapshot reaches as far as the tree does at its end',
    make: () =>
      replacing(HistorySender, (original) => ({
        async run(from, isFirst, onProgress) {
          const at = await original.run.call(this, from, isFirst, onProgress);
          // what is committed meanwhile is taken to be in it
          return at === null ? null : { ...at, low: at.low + 1 };
        },
      })),
  },
  {
    name: 'what is outstanding is not told to who joins',
    make: () => replacing(Broadcast, () => ({ uncommitted: () => [] })),
  },
  {
    name: 'NEWLEADER is taken for acknowledged when it is sent',
    make: () =>
      replacing(Leader, (original) => ({
        onAckEpoch(link, currentEpoch, lastLogged, nowMs) {
          original.onAckEpoch.call(this, link, currentEpoch, lastLogged, nowMs);
          for (const learner of [...this.links()]) {
            if (learner.phase === 'synchronised') {
              original.onAck.call(this, learner.id, this.epoch, 0, nowMs);
            }
          }
        },
      })),
  },
  {
    name: 'a server without a quorum acknowledges writes',
    make: () =>
      replacing(ReadOnlyReplica, () => ({
        submit(pending) {
          const { lastZxidHigh, lastZxidLow } = this.tree;
          pending.connection?.onApplied(pending, lastZxidHigh, lastZxidLow);
          return true;
        },
      })),
  },
  {
    name: 'who restored goes on with what it had to tell',
    make: () =>
      replacing(CommittedLog, () => ({
        clear() {
          // learners are told of what there was before
        },
      })),
  },
  {
    name: 'a leader waits for its disk',
    make: () => {
      let answers = 0;
      // as if it had answered since the last look
      return answering(ReadyLoop, 'persistCount', () => ++answers);
    },
  },
  {
    name: 'who has led goes on saying that it leads',
    make: () =>
      together(
        replacing(Elections, () => ({
          fallSilent() {
            // and those who look for a leader find it
          },
        })),
        replacing(EarlyLinks, () => ({
          refuse(socket) {
            return this.accept(socket);
          },
        })),
      ),
  },
  {
    name: 'a leader that nobody has joined counts on whoever is gone',
    make: () =>
      replacing(Mandate, () => ({
        withdraw() {
          // it may come back
        },
      })),
  },
  {
    name: 'who has the history serves',
    make: () =>
      replacing(Learner, (original) => ({
        onNewLeader(epoch, nowMs) {
          original.onNewLeader.call(this, epoch, nowMs);
          if (!this.isStopped) original.onUpToDate.call(this, nowMs);
        },
        onUpToDate() {
          // it has come to that already
        },
      })),
  },
];
