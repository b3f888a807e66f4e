import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestEnsemble, type TestEnsembleOptions } from 'zabra/testing';

type Logger = NonNullable<TestEnsembleOptions['logger']>;

/** Counts what servers log with this text. */
function counting(text: string): { readonly logger: Logger; count: number } {
  const nothing = (): void => undefined;
  const counter = {
    count: 0,
    logger: {
      ...{ debug: nothing, warn: nothing, error: nothing },
      info: (line: string): void => {
        if (line.includes(text)) counter.count++;
      },
    },
  };
  return counter;
}

test('leadership goes to the server that is named, and nobody holds an election', async () => {
  const elections = counting('looking for a leader');
  const ensemble = await TestEnsemble.start(3, { logger: elections.logger });
  try {
    const before = elections.count;
    for (const to of [1, 2, 3, 1]) {
      if (ensemble.leader === to) continue;
      assert.equal(await ensemble.handOver(to), to);
    }
    assert.equal(elections.count, before);
    const followers = ensemble.servers.filter(({ state }) => state === 'follower');
    assert.equal(followers.length, 2, 'who led follows');
  } finally {
    await ensemble.stop();
  }
});

test('nobody but a follower can take over, and leading goes on', async () => {
  const ensemble = await TestEnsemble.start(3);
  try {
    const leader = ensemble.leader ?? 0;
    const [gone, left] = [1, 2, 3].filter((id) => id !== leader);
    assert.ok(gone !== undefined && left !== undefined);
    for (const to of [leader, 9]) {
      await assert.rejects(ensemble.handOver(to), /cannot be handed over/);
      assert.equal(ensemble.leader, leader);
    }
    await ensemble.kill(gone);
    assert.equal(await ensemble.handOver(left), left, 'the rest is a quorum');
  } finally {
    await ensemble.stop();
  }
});

test('leadership rotates where that is wanted', async () => {
  const elections = counting('leadership is handed over');
  const settings = { tickTimeMs: 100, leaderRotationMs: 300 };
  const ensemble = await TestEnsemble.start(3, { settings, logger: elections.logger });
  try {
    const seen = new Set<number>();
    const deadlineMs = performance.now() + 120_000;
    while (seen.size < 3 && performance.now() < deadlineMs) {
      if (ensemble.leader !== null) seen.add(ensemble.leader);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.deepEqual([...seen].sort(), [1, 2, 3]);
  } finally {
    await ensemble.stop();
  }
});
