/**
 * What a balancer does before Apache's servers, which answer `srvr` and no other word, as they come; one
 * of ours observes. Sessions that do nothing at the moment may be moved there too.
 */
import type { Tally } from '../ensemble/tally.js';
import type { Town } from '../reconfig/town.js';
import { Crowd } from './crowd.js';
import { ObservedBalancer } from './observed-balancer.js';
import { portsOf, serversOf } from './scenes-zabra.js';

const APACHE = [1, 2, 3];
const OURS = 4;

/** Roles, zxids and losses are known by `srvr` alone; each kind is told from the other. */
export async function health(town: Town, tally: Tally): Promise<void> {
  const ports = portsOf(town);
  const balancer = await ObservedBalancer.start({ servers: serversOf(town), roles: 'any' });
  try {
    const crowd = await Crowd.come(balancer.connectString, 12, '/health');
    const status = await balancer.until(
      () => balancer.status(),
      ({ servers }) => servers.every(({ role, lag }) => role !== null && lag === 0),
    );
    const found = ports.map((port) => status.servers.find(({ id }) => id.endsWith(`:${port}`)));
    tally.check('kinds', found.map((one) => one?.kind).join(), 'apache,apache,apache,zabra');
    const told = found.map((one) => one?.role).sort();
    tally.check('roles', told.join(), 'follower,follower,leader,observer');
    tally.check('how far they are', found.map((one) => one?.lag).join(), '0,0,0,0');
    const limits = balancer.process.log().match(/does not say how many connections/g)?.length ?? 0;
    tally.check('the limit of connections is told of', limits, 3);

    const gone = (await town.modeOf(1)) === 'leader' ? 2 : 1;
    const at = ports[gone - 1] ?? 0;
    await town.stop(gone, 'SIGKILL');
    const ejected = await balancer.until(
      () => balancer.setAt(at),
      (set) => set === 'ejected',
    );
    tally.check('a loss is seen', ejected, 'ejected');
    tally.none('and not noticed', await crowd.noticed());
    await town.stop(OURS, 'SIGKILL');
    tally.none('nor is that of the other kind', await crowd.noticed());
    await Promise.all([town.start(gone), town.start(OURS)]);
    const back = await balancer.until(
      () => balancer.setAt(at),
      (set) => set === 'awake',
    );
    tally.check('a return is seen', back, 'awake');
    const counts = await balancer.until(
      () => balancer.sessionsAt(...ports),
      (all) => all.join() === '3,3,3,3',
    );
    tally.check('and used', counts, '3,3,3,3');
    await crowd.leave();
  } finally {
    await balancer.dispose();
  }
}

/** Two of three are used; writes wake the third, calm lets one sleep, a loss is made up for. */
export async function rwp(town: Town, tally: Tally): Promise<void> {
  const ports = portsOf(town).slice(0, APACHE.length);
  const balancer = await ObservedBalancer.start({
    servers: serversOf(town, APACHE),
    roles: 'any',
    subset: 'rw-p',
    scope: 'local',
    subsetRules: { wakeIntervalMs: 500, sleepAfterMs: 2_000 },
  });
  const awake = async (): Promise<number[]> => {
    const { servers } = await balancer.status();
    return ports.filter((port) =>
      servers.some(({ id, set }) => set === 'awake' && id.endsWith(`:${port}`)),
    );
  };
  const restsOn = async (): Promise<number> =>
    (await balancer.sessionsAt(...ports)).filter((count) => count > 0).length;
  try {
    // who comes writes, which wakes the third
    const crowd = await Crowd.come(balancer.connectString, 12, '/rwp');
    const calm = await balancer.until(awake, ({ length }) => length === 2);
    tally.check('when nobody writes two are awake', calm.length, 2);
    const two = await balancer.until(restsOn, (count) => count === 2);
    tally.check('and have all sessions', two, 2);
    await crowd.someone.setData('/rwp', 'x');
    const busy = await balancer.until(awake, ({ length }) => length === 3);
    tally.check('a write wakes the third', busy.length, 3);
    const three = await balancer.until(restsOn, (count) => count === 3);
    tally.check('which has its part soon', three, 3);
    const asleep = await balancer.until(awake, ({ length }) => length === 2);
    tally.check('and one sleeps again when it is over', asleep.length, 2);
    tally.none('nobody has noticed', await crowd.noticed());

    const follower = await firstOf(town, asleep, ports);
    await town.stop(follower, 'SIGKILL');
    const instead = await balancer.until(
      awake,
      (found) => found.length === 2 && !found.includes(ports[follower - 1] ?? 0),
    );
    tally.check('a loss wakes the one that waits', instead.length, 2);
    tally.none('nobody has noticed that', await crowd.noticed());
    await town.start(follower);
    await crowd.leave();
  } finally {
    await balancer.dispose();
  }
}

/** Of those that are awake, one that does not lead. */
async function firstOf(
  town: Town,
  awake: readonly number[],
  ports: readonly number[],
): Promise<number> {
  for (const sid of APACHE) {
    const isAwake = awake.includes(ports[sid - 1] ?? 0);
    if (isAwake && (await town.modeOf(sid)) === 'follower') return sid;
  }
  throw new Error('no follower is awake');
}

/** Three balancers without a registry: each uses two servers, and together all of them alike. */
export async function deterministic(town: Town, tally: Tally): Promise<void> {
  const ports = portsOf(town).slice(0, APACHE.length);
  const balancers = await Promise.all(
    APACHE.map((_, index) =>
      ObservedBalancer.start({
        servers: serversOf(town, APACHE),
        roles: 'any',
        subset: 'deterministic',
        position: { index, count: APACHE.length },
      }),
    ),
  );
  try {
    const crowds: Crowd[] = [];
    const uses = ports.map(() => 0);
    for (const [index, balancer] of balancers.entries()) {
      const crowd = await Crowd.come(balancer.connectString, 6, `/deterministic-${index}`);
      crowds.push(crowd);
      const counts = await balancer.sessionsAt(...ports);
      const used = counts.filter((count) => count > 0).length;
      tally.check(`balancer ${index} uses`, used, 2);
      for (const [at, count] of counts.entries()) if (count > 0) uses[at] = (uses[at] ?? 0) + 1;
    }
    tally.check('each server is used by', uses, '2,2,2');
    const gone = (await town.modeOf(1)) === 'leader' ? 2 : 1;
    await town.stop(gone, 'SIGKILL');
    for (const [index, crowd] of crowds.entries()) {
      tally.none(`its end is not noticed behind balancer ${index}`, await crowd.noticed());
    }
    const [first] = balancers;
    const left = await first?.until(
      () => first.sessionsAt(...ports),
      (counts) => counts[gone - 1] === 0 && counts.filter((count) => count > 0).length === 2,
    );
    tally.check(
      'two are used of those that are left',
      left?.filter((count) => count > 0).length,
      2,
    );
    await town.start(gone);
    await Promise.all(crowds.map((crowd) => crowd.leave()));
  } finally {
    await Promise.all(balancers.map((balancer) => balancer.dispose()));
  }
}
