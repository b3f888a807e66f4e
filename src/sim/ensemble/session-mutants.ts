/**
 * Bugs put back in (see mutants.ts) of sessions that one server keeps to itself, and of followers that
 * serve observers.
 */
import { LocalSessions } from '../../server/local-sessions.js';
import { ReadOnlyReplica } from '../../server/read-only-replica.js';
import { ObserverMaster } from '../../server/ensemble/observer-master.js';
import { SessionTracker } from '../../session/tracker.js';
import { replacing, type EnsembleMutant } from './mutants.js';
import { furnished, reconfigurable, type EnsembleParameters } from './parameters.js';
import type { EnsembleSabotage } from './sim-member.js';

/** Both are there, and clients come and go. */
function withGuests(sabotage: EnsembleSabotage): EnsembleSabotage {
  const tune = (drawn: EnsembleParameters): EnsembleParameters =>
    furnished(
      reconfigurable({
        ...drawn,
        hasLocalSessions: true,
        hasObserverMasters: true,
        reconfigMs: Infinity,
      }),
    );
  return { ...sabotage, tune };
}

/** Servers are often without a quorum, and clients that can bear it come. */
function withReaders(sabotage: EnsembleSabotage): EnsembleSabotage {
  const tune = (drawn: EnsembleParameters): EnsembleParameters => {
    const clients = drawn.clients.map((traits) => ({ ...traits, acceptsReadOnly: true }));
    const faults = { ...drawn.faults, isolate: 1500, killAll: 4000 };
    const restartMs = 3000;
    return furnished({
      ...reconfigurable({ ...drawn, reconfigMs: Infinity }),
      ...{ clients, faults, restartMs, hasReaders: true, hasLocalSessions: false },
    });
  };
  return { ...sabotage, tune };
}

export const sessionMutants: readonly EnsembleMutant[] = [
  {
    name: 'a leader takes what is asked in a session that has ended for a local session of elsewhere',
    seed: 22,
    make: () => withGuests(replacing(SessionTracker, () => ({ hasEnded: () => false }))),
  },
  {
    name: 'a local session goes on after its end',
    seed: 45,
    make: () =>
      withGuests(
        replacing(LocalSessions, () => ({
          end() {
            // nobody is told
          },
        })),
      ),
  },
  {
    name: 'a server without a quorum answers as if it had written',
    seed: 1,
    make: () =>
      withReaders(
        replacing(ReadOnlyReplica, () => ({
          submit(pending) {
            const { lastZxidHigh, lastZxidLow } = this.tree;
            pending.connection?.onApplied(pending, lastZxidHigh, lastZxidLow);
            return true;
          },
        })),
      ),
  },
  {
    name: 'a follower does not tell observers that are not up to date yet',
    seed: 71,
    make: () => {
      let count = 0;
      return withGuests(
        replacing(ObserverMaster, (original) => ({
          onApplied(range) {
            if (++count % 7 > 0) original.onApplied.call(this, range);
          },
        })),
      );
    },
  },
];
