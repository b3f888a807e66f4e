/** Beginnings that many stories share. */
import type { KillKind } from '../../sim-server.js';
import type { Stage, Wait } from '../stage.js';

/** All serve, and clients have written something. */
export function* established(stage: Stage, txns = 15): Generator<Wait, void> {
  const all = stage.others();
  stage.start(...all);
  yield stage.serving(...all);
  yield stage.written(txns);
}

/** All serve again, and go on. */
export function* settled(stage: Stage, txns = 10): Generator<Wait, void> {
  const all = stage.others();
  stage.start(...all);
  yield stage.serving(...all);
  yield stage.written(txns);
}

/**
 * A leader's proposals reach nobody, and it dies with them; the others elect a leader and go on.
 * Returns the server that has what must be taken back.
 */
export function* divided(stage: Stage): Generator<Wait, number> {
  yield* established(stage, 20);
  const old = stage.leader;
  stage.gag(old);
  const { history } = stage.member(old);
  const before = history.end;
  yield stage.until('it proposes, and nobody hears', () => history.end > before + 2n);
  stage.kill(old);
  yield stage.until('another leads', () => stage.leader !== 0 && stage.leader !== old);
  yield stage.written(20);
  return old;
}

export type SyncMode = 'diff' | 'trunc' | 'snap';
export const syncModes: readonly SyncMode[] = ['diff', 'trunc', 'snap'];

/** One server is down, and will have to be brought up to date in this way. Returns it. */
export function* behind(stage: Stage, mode: SyncMode): Generator<Wait, number> {
  if (mode === 'trunc') {
    const old = yield* divided(stage);
    stage.heal();
    // whose connections were reset, and who find each other again
    yield stage.forMs(stage.tickMs);
    yield stage.serving(...stage.others(old));
    yield stage.written(2);
    return old;
  }
  yield* settled(stage);
  const [lagging = 0] = stage.others(stage.leader);
  stage.kill(lagging);
  yield stage.written(12);
  if (mode === 'snap') {
    const rest = stage.others(lagging);
    for (const sid of rest) {
      // in order: what it logged last is durable, and known to be
      yield stage.stopped(sid);
      yield stage.snapshotOf(sid, false);
      stage.loseLogs(sid);
    }
    stage.start(...rest);
    yield stage.serving(...rest);
    yield stage.written(5);
  }
  return lagging;
}

/** The server is killed now, from within whatever it does. */
export function dying(stage: Stage, sid: number, kind: KillKind): () => null {
  return () => {
    stage.kill(sid, kind);
    return null;
  };
}
