/** What must hold whatever the delays: single runs are told in the stories. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { voteFor, World, type WorldServer } from './election-world.fixture.js';
import { compareVotes } from './vote.js';

const finalizeWaitMs = 200;

/** Everybody starts within a few milliseconds, connected to everybody. */
function startTogether(world: World, silent: readonly WorldServer[] = []): void {
  for (const server of silent) server.isSilent = true;
  for (const server of world.servers) server.isUp = true;
  for (const link of world.links) world.connect(link);
  for (const server of world.servers) {
    // they have had any number of elections before
    const vote = { ...voteFor(99, server.history), electionEpoch: BigInt(world.random.below(4)) };
    server.election.decided('following', vote);
    world.after(world.random.below(10), () => world.look(server));
  }
}

function bestOf(servers: readonly WorldServer[]): WorldServer | undefined {
  const ascending = servers
    .filter(({ isObserver }) => !isObserver)
    .sort((a, b) => compareVotes(voteFor(a.sid, a.history), voteFor(b.sid, b.history)));
  return ascending.at(-1);
}

/** All have decided for the one with the best history, in the same round; when the last one did. */
function settledMs(servers: readonly WorldServer[]): number {
  const best = bestOf(servers);
  for (const { sid, isObserver, election } of servers) {
    const { outcome } = election;
    assert.ok(outcome !== null, `server ${sid} has decided`);
    assert.equal(outcome.leader, best?.sid, `server ${sid} decided`);
    const role = isObserver ? 'observing' : sid === best?.sid ? 'leading' : 'following';
    assert.equal(outcome.role, role);
    assert.ok(!election.isDeserted);
  }
  assert.equal(new Set(servers.map((it) => it.election.outcome?.vote.electionEpoch)).size, 1);
  return Math.max(...servers.map((it) => it.decidedMs));
}

const anySeed = fc.integer({ min: 0, max: 2 ** 31 - 1 });

test('all connected, all heard: the best history leads, and nobody waits', () => {
  fc.assert(
    fc.property(anySeed, fc.integer({ min: 1, max: 7 }), fc.nat(2), (seed, voters, observers) => {
      const world = new World({ seed, voters, observers, delayMsMax: 15 });
      startTogether(world);
      world.runUntil(2 * finalizeWaitMs);
      assert.ok(settledMs(world.servers) < finalizeWaitMs / 2);
      // a vote is told when it changes, and again only to those who know no better
      const changes = voters + 4;
      assert.ok(world.messageCount <= 2 * (voters + observers) * voters * changes);
    }),
    { numRuns: 300 },
  );
});

test('Z1: five and seven servers, connected, settle within two waits though some say nothing', () => {
  fc.assert(
    fc.property(anySeed, fc.constantFrom(5, 7), (seed, voters) => {
      const world = new World({ seed, voters, observers: 0, delayMsMax: 15 });
      const silentCount = world.random.between(1, (voters - 1) / 2);
      const first = world.random.below(voters);
      const silent = world.servers.filter((_, i) => (i - first + voters) % voters < silentCount);
      startTogether(world, silent);
      world.runUntil(3 * finalizeWaitMs);
      const speaking = world.servers.filter((server) => !silent.includes(server));
      const settled = settledMs(speaking);
      assert.ok(settled >= finalizeWaitMs, 'somebody might have known better');
      assert.ok(settled < 2 * finalizeWaitMs);
    }),
    { numRuns: 200 },
  );
});

test('the leader dies: the others agree on the next without a wait', () => {
  fc.assert(
    fc.property(anySeed, fc.integer({ min: 3, max: 7 }), (seed, voters) => {
      const world = new World({ seed, voters, observers: 1, delayMsMax: 3 });
      for (const server of world.servers) {
        server.isUp = true;
        world.boot(server);
      }
      for (const link of world.links) world.connect(link);
      world.runUntil(1000);
      const leader = world.servers.find(({ election }) => election.outcome?.role === 'leading');
      assert.ok(leader?.isEstablished);
      const rest = world.servers.filter((server) => server !== leader);
      world.kill(leader);
      // each notices in its own time
      for (const server of rest) world.after(world.random.below(10), () => world.look(server));
      world.runUntil(1200);
      assert.ok(settledMs(rest) < 1050);
    }),
    { numRuns: 100 },
  );
});

/** For a while everything happens that can. */
function makeTrouble(world: World, untilMs: number): void {
  const { random } = world;
  world.lossProbability = random.pick([0, 0.05, 0.3]);
  const pause = (): number => random.between(1, 400);
  const misfortunes: (() => void)[] = [
    () => world.disconnect(random.pick(world.links)),
    () => world.connect(random.pick(world.links)),
    () => {
      const server = random.pick(world.servers);
      if (server.isUp) world.kill(server);
      else world.boot(server);
    },
    () => {
      const sides = new Map(world.servers.map((server) => [server, random.chance(0.5)]));
      for (const link of world.links) {
        if (sides.get(link.a) !== sides.get(link.b)) world.disconnect(link);
      }
    },
    () => {
      for (const link of world.links) world.connect(link);
    },
  ];
  const next = (): void => {
    if (world.nowMs >= untilMs) return;
    random.pick(misfortunes)();
    world.after(pause(), next);
  };
  next();
}

/** One leads; everyone there is follows it. */
function isWhole(world: World): boolean {
  const leaders = world.servers.filter(({ election }) => election.outcome?.role === 'leading');
  const [leader] = leaders;
  if (leader === undefined || leaders.length > 1) return false;
  return world.servers.every(
    (one) => one.isEstablished && one.election.outcome?.leader === leader.sid,
  );
}

test('after any trouble a stable network has one leader, and none was behind a quorum', () => {
  fc.assert(
    fc.property(anySeed, fc.integer({ min: 1, max: 7 }), fc.nat(2), (seed, voters, observers) => {
      const world = new World({ seed, voters, observers, delayMsMax: 40 });
      const troubleMs = 6000;
      for (const server of world.servers) world.boot(server);
      // one server has nobody to lose
      if (world.links.length > 0) makeTrouble(world, troubleMs);
      world.runUntil(troubleMs);
      world.lossProbability = 0;
      for (const server of world.servers) if (!server.isUp) world.boot(server);
      for (const link of world.links) {
        world.after(world.random.below(300), () => world.connect(link));
      }
      // until nobody takes for a leader what was one a moment ago
      world.runUntil(troubleMs + 500);
      world.runUntil(troubleMs + 8000, () => isWhole(world));
      assert.ok(isWhole(world), 'it settles');
      const leader = world.servers.find(({ election }) => election.outcome?.role === 'leading');
      assert.ok(leader !== undefined);
      // and so it stays
      world.runUntil(world.nowMs + 5000);
      assert.ok(isWhole(world), 'it stays');
      assert.equal(leader.election.outcome?.role, 'leading');
    }),
    { numRuns: 150 },
  );
});
