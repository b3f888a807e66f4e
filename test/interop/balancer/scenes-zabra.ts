/**
 * What a balancer does before our own servers: three that vote and two that observe. Nobody behind it
 * may notice any of it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'zabra/client';
import { NameServer } from '../../support/name-server.js';
import type { Tally } from '../ensemble/tally.js';
import { superUser, type Role, type Town } from '../reconfig/town.js';
import { Crowd } from './crowd.js';
import { ObservedBalancer } from './observed-balancer.js';

/** Who are voters and who are not, by sid. */
export const zabraRoles: readonly Role[] = [
  ...(['participant', 'participant', 'participant'] as const),
  ...(['observer', 'observer'] as const),
];
const OBSERVER = 4;
const SERVICE = '_zookeeper._tcp.ensemble.test';

const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0);
/** For whoever waits until it is so. */
const is =
  (wanted: readonly number[]) =>
  (found: readonly number[]): boolean =>
    found.join() === wanted.join();
const isEven = (counts: readonly number[]): boolean =>
  Math.max(...counts) - Math.min(...counts) <= 1;

export function portsOf(town: Town): number[] {
  return [...town.citizens.values()].map(({ place }) => place.client);
}

export function serversOf(town: Town, sids = [...town.citizens.keys()]): string {
  return sids.map((sid) => `127.0.0.1:${town.of(sid).place.client}`).join(',');
}

function roleOf(sid: number): Role {
  return zabraRoles[sid - 1] ?? 'participant';
}

async function leaderOf(town: Town): Promise<number> {
  for (const sid of town.citizens.keys()) if ((await town.modeOf(sid)) === 'leader') return sid;
  throw new Error('nobody leads');
}

/** Killed, and started again at the end, whatever happens in between. */
async function without(town: Town, sid: number, meanwhile: () => Promise<void>): Promise<void> {
  await town.stop(sid, 'SIGKILL');
  try {
    await meanwhile();
  } finally {
    await town.start(sid);
  }
}

/** Followers first, the leader spared; then observers first, and one of the two dies. */
export async function roles(town: Town, tally: Tally): Promise<void> {
  const ports = portsOf(town);
  const leader = (await leaderOf(town)) - 1;
  const servers = serversOf(town);
  const spare = await ObservedBalancer.start({ servers });
  const observing = await ObservedBalancer.start({ servers, roles: 'observers-first' });
  try {
    await spare.until(
      () => spare.status(),
      (status) => status.servers.every(({ role }) => role !== null),
    );
    const crowd = await Crowd.come(spare.connectString, 24, '/spare');
    const wanted = ports.map((_, index) => (index === leader ? 0 : 6));
    const spread = await spare.until(() => spare.sessionsAt(...ports), is(wanted));
    tally.check('all but the leader share evenly', spread, wanted);
    await crowd.leave();

    await observing.until(
      () => observing.status(),
      (status) => status.servers.every(({ role }) => role !== null),
    );
    const readers = await Crowd.come(observing.connectString, 12, '/observing');
    const counts = (): Promise<number[]> => observing.sessionsAt(...ports);
    const atObservers = await observing.until(counts, is([0, 0, 0, 6, 6]));
    tally.check('the observers have them all', atObservers, '0,0,0,6,6');
    await without(town, OBSERVER, async () => {
      tally.none('its end is not noticed', await readers.noticed());
      // one alone would be the end of all when it dies: followers help
      const used = (found: readonly number[]): number => found.filter((one) => one > 0).length;
      const shared = await observing.until(
        counts,
        (found) => used(found) === 3 && sum(found) === 12,
      );
      tally.check('all have a server', sum(shared), 12);
      tally.check('followers help', used(shared), 3);
      tally.check('but not the leader', shared[leader], 0);
    });
    // those that were moved are left in peace for a while, who comes now shows the new order
    await observing.until(
      () => observing.setAt(ports[OBSERVER - 1] ?? 0),
      (set) => set === 'awake',
    );
    const before = await counts();
    await readers.grow(observing.connectString, 3);
    const after = await observing.until(counts, (found) => sum(found) === readers.size);
    const more = after
      .slice(0, OBSERVER - 1)
      .filter((count, index) => count > (before[index] ?? 0));
    tally.check('no voter has more when others come then', more.length, 0);
    tally.none('nobody has noticed anything', await readers.noticed());
    await readers.leave();
  } finally {
    await spare.dispose();
    await observing.dispose();
  }
}

/** Near servers first; the near one dies, and farther ones take over until it is back. */
export async function zones(town: Town, tally: Tally): Promise<void> {
  const places = ['eu/west/a', 'eu/west/b', 'us/east', 'us/east', 'asia'];
  const ports = portsOf(town);
  const servers = ports.map((port, index) => ({
    address: `127.0.0.1:${port}`,
    zone: places[index] ?? '',
  }));
  const here = { servers, zone: 'eu/west/a', roles: 'any' as const };
  const balancer = await ObservedBalancer.start(here);
  try {
    const crowd = await Crowd.come(balancer.connectString, 12, '/zones');
    const counts = (): Promise<number[]> => balancer.sessionsAt(...ports);
    const near = await balancer.until(counts, is([12, 0, 0, 0, 0]));
    tally.check('the near one has them all', near, '12,0,0,0,0');
    await without(town, 1, async () => {
      tally.none('its end is not noticed', await crowd.noticed());
      const next = await balancer.until(counts, is([0, 12, 0, 0, 0]));
      tally.check('the next nearest has them all', next, '0,12,0,0,0');
    });
    const back = await balancer.until(counts, is([12, 0, 0, 0, 0]), 15_000);
    tally.check('all come back to the near one', back, '12,0,0,0,0');
    tally.none('that is not noticed either', await crowd.noticed());
    await crowd.leave();
  } finally {
    await balancer.dispose();
  }
}

/** The servers are in the DNS, under names that are in the DNS as well; both change, and fail. */
export async function srv(town: Town, tally: Tally): Promise<void> {
  const names = await NameServer.start();
  const place = (sid: number): { host: string; port: number } => {
    const host = `zk${sid}.ensemble.test`;
    return { host, port: town.of(sid).place.client };
  };
  for (const sid of [1, 2, 3]) names.hosts.set(place(sid).host, ['127.0.0.1']);
  names.services.set(SERVICE, [place(1), place(2)]);
  const dns = { servers: [names.address], refreshMs: 300 };
  const servers = `dns-srv://${SERVICE}`;
  const balancer = await ObservedBalancer.start({ servers, dns, roles: 'any' });
  const ports = portsOf(town);
  try {
    const ids = async (): Promise<string> =>
      (await balancer.status()).servers.map(({ id }) => id.split('.')[0]).join();
    tally.check(
      'servers come from the DNS',
      await balancer.until(ids, (found) => found === 'zk1,zk2'),
      'zk1,zk2',
    );
    const crowd = await Crowd.come(balancer.connectString, 12, '/srv');
    const counts = (): Promise<number[]> => balancer.sessionsAt(...ports);
    const both = await balancer.until(counts, is([6, 6, 0, 0, 0]));
    tally.check('both are used', both, '6,6,0,0,0');
    names.services.set(SERVICE, [place(2), place(3)]);
    const moved = await balancer.until(counts, is([0, 6, 6, 0, 0]));
    tally.check('who left the list is empty, who came has its part', moved, '0,6,6,0,0');
    tally.check(
      'and forgotten',
      await balancer.until(ids, (found) => found === 'zk2,zk3'),
      'zk2,zk3',
    );
    tally.none('nobody has noticed', await crowd.noticed());

    names.services.set(SERVICE, [place(2), place(3), { host: 'zk9.ensemble.test', port: 1 }]);
    await balancer.until(ids, (found) => found === 'zk2,zk3,zk9');
    const startedMs = Date.now();
    await crowd.grow(balancer.connectString, 6);
    const tookMs = Date.now() - startedMs;
    tally.check('a name that leads nowhere holds up nobody', tookMs < 1_000 || tookMs, true);
    names.isSilent = true;
    await sleep(1_000);
    await crowd.grow(balancer.connectString, 6);
    const silent = await balancer.sessionsAt(...ports);
    tally.check('nor does a name server that is silent', sum(silent), crowd.size);
    tally.none('and nobody has noticed', await crowd.noticed());
    await crowd.leave();
  } finally {
    await balancer.dispose();
    names.close();
  }
}

/** The list follows /zookeeper/config: a server is taken out, and put in again. */
export async function config(town: Town, tally: Tally): Promise<void> {
  const ports = portsOf(town);
  const servers = serversOf(town, [1, 2]);
  const balancer = await ObservedBalancer.start({ servers, followConfig: true, roles: 'any' });
  const admin = new Client(serversOf(town, [1, 2, 3]));
  try {
    await admin.connect();
    await admin.addAuth('digest', `${superUser.name}:${superUser.secret}`);
    const known = async (): Promise<number> => (await balancer.status()).servers.length;
    tally.check('all servers are found', await balancer.until(known, (count) => count === 5), 5);
    const crowd = await Crowd.come(balancer.connectString, 20, '/config');
    const counts = (): Promise<number[]> => balancer.sessionsAt(...ports);
    const shared = await balancer.until(counts, (found) => isEven(found) && sum(found) === 20);
    tally.check('all are used', shared, '4,4,4,4,4');

    await admin.reconfig({ leaving: [OBSERVER] });
    const left = await balancer.until(counts, (found) => found[3] === 0 && sum(found) === 20);
    tally.check('who was taken out is empty', left[OBSERVER - 1], 0);
    tally.check('all have a server', sum(left), 20);
    tally.check('and forgotten', await balancer.until(known, (count) => count === 4), 4);
    await town.stop(OBSERVER, 'SIGKILL');
    tally.none('nobody has noticed', await crowd.noticed());

    town.settle(
      OBSERVER,
      [...town.citizens.keys()].map((sid) => [sid, roleOf(sid)] as const),
    );
    await town.launch(OBSERVER);
    await admin.reconfig({ joining: town.lineOf(OBSERVER, roleOf(OBSERVER)) });
    await town.untilMode(OBSERVER, /observer/);
    const again = await balancer.until(counts, (found) => isEven(found) && sum(found) === 20);
    tally.check('who was put in again has its part', again, '4,4,4,4,4');
    tally.none('and nobody has noticed', await crowd.noticed());
    await crowd.leave();
  } finally {
    await admin.close();
    await balancer.dispose();
  }
}

/** `zabra balance drain` by hand, and undrain. */
export async function drain(town: Town, tally: Tally): Promise<void> {
  const ports = portsOf(town);
  const balancer = await ObservedBalancer.start({ servers: serversOf(town), roles: 'any' });
  try {
    const crowd = await Crowd.come(balancer.connectString, 40, '/drain');
    await crowd.someone.create('/drain-watched', 'before');
    const told = await crowd.watch('/drain-watched');
    const server = `127.0.0.1:${ports[0] ?? 0}`;
    const counts = (): Promise<number[]> => balancer.sessionsAt(...ports);
    const even = await balancer.until(counts, isEven);
    tally.check('it has its part', even, '8,8,8,8,8');
    const drained = await balancer.steer('drain', server);
    tally.check('drain ends well', `${drained.code} ${drained.said}`, `0 ${server} is empty`);
    tally.check('the server is empty', (await counts())[0], 0);
    await without(town, 1, async () => {
      await crowd.someone.setData('/drain-watched', 'after');
      const heard = await balancer.until(
        () => Promise.resolve(told()),
        (count) => count === 40,
      );
      tally.check('every watch was told', heard, 40);
    });
    tally.check('it stays drained', await balancer.setAt(ports[0] ?? 0), 'draining');
    tally.check('undrain ends well', (await balancer.steer('undrain', server)).code, 0);
    const again = await balancer.until(counts, isEven);
    tally.check('it has its part again', again, '8,8,8,8,8');
    tally.none('nobody has noticed', await crowd.noticed());
    await crowd.leave();
  } finally {
    await balancer.dispose();
  }
}
