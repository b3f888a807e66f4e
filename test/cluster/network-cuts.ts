/**
 * What happens to the network under an ensemble, and what its clients may expect meanwhile. `serves`
 * names a server over which writes must be acknowledged again although nothing has healed yet: a
 * majority is whole and can be reached.
 */
import type { SeededRandom } from '../conformance/differential/random.js';
import type { Members } from './members.js';
import { addressOf, clientsAddress, ports, type Cut, type Fabric } from './network-fabric.js';

export interface Scene {
  readonly fabric: Fabric;
  readonly members: Members;
  readonly random: SeededRandom;
}

export interface Broken {
  readonly told: string;
  readonly serves: number | null;
  /** Has to be done while it is broken, and after it has healed. */
  meanwhile?(): Promise<void>;
  after?(): Promise<void>;
}

type Break = (scene: Scene) => Promise<Broken>;

/** That server from all others, except those that are to hear it; clients reach it. */
function fromServers(scene: Scene, sid: number, but: readonly number[] = []): Cut[] {
  return scene.members.sids
    .filter((other) => other !== sid && !but.includes(other))
    .map((other) => ({ at: sid, peer: addressOf(other) }));
}

function othersThan({ members }: Scene, sids: readonly number[]): number[] {
  return members.sids.filter((sid) => !sids.includes(sid));
}

/** The leader more often than another. */
async function victim({ members, random }: Scene, leaderChance: number): Promise<[number, string]> {
  const leader = await members.leader();
  if (random.chance(leaderChance)) return [leader, `leader ${leader}`];
  const sid = random.pick(members.sids.filter((other) => other !== leader));
  return [sid, `follower ${sid}`];
}

async function isolate(scene: Scene): Promise<Broken> {
  const [sid, name] = await victim(scene, 0.6);
  await scene.fabric.cut([{ at: sid }]);
  return { told: `${name} from everybody`, serves: scene.random.pick(othersThan(scene, [sid])) };
}

/** Its clients still reach it: nothing that they write there may be acknowledged. */
async function cutOff(scene: Scene): Promise<Broken> {
  const { fabric, members, random } = scene;
  const [sid, name] = await victim(scene, 0.6);
  const minority = [sid];
  if (members.sids.length > 3 && random.chance(0.5)) {
    minority.push(random.pick(othersThan(scene, minority)));
  }
  await fabric.cut(minority.flatMap((each) => fromServers(scene, each, minority)));
  const mates = minority.length > 1 ? ` and ${minority[1] ?? ''}` : '';
  return {
    told: `${name}${mates} from the other servers`,
    serves: random.pick(othersThan(scene, minority)),
  };
}

async function oneWay(scene: Scene, direction: 'in' | 'out'): Promise<Broken> {
  const { fabric, members, random } = scene;
  const [sid, name] = await victim(scene, 0.6);
  await fabric.cut(fromServers(scene, sid).map((cut) => ({ ...cut, direction })));
  const told = direction === 'in' ? `${name} hears no server` : `no server hears ${name}`;
  return { told, serves: random.pick(members.sids.filter((other) => other !== sid)) };
}

/** Whoever serves goes on; nobody elects. */
async function electionPort(scene: Scene): Promise<Broken> {
  const { fabric, members, random } = scene;
  const [sid, name] = await victim(scene, 0.5);
  await fabric.cut([{ at: sid, port: ports.election }]);
  return { told: `election port, ${name}`, serves: random.pick(members.sids) };
}

/** When it is the leader's, the others elect it again and again: they hear its votes. */
async function quorumPort(scene: Scene): Promise<Broken> {
  const { fabric, members, random } = scene;
  const [sid, name] = await victim(scene, 0.5);
  await fabric.cut([{ at: sid, port: ports.quorum }]);
  const isLeader = name.startsWith('leader');
  const serves = isLeader ? null : random.pick(members.sids.filter((other) => other !== sid));
  return { told: `quorum port, ${name}`, serves };
}

async function clientPort(scene: Scene): Promise<Broken> {
  const { fabric, members, random } = scene;
  const [sid, name] = await victim(scene, 0.5);
  await fabric.cut([{ at: sid, peer: clientsAddress, port: ports.client }]);
  const serves = random.pick(members.sids.filter((other) => other !== sid));
  return { told: `client port, ${name}`, serves };
}

/** A - B - C: the outer ones do not see each other, and each has a majority with those between. */
async function bridge(scene: Scene): Promise<Broken> {
  const { fabric, members, random } = scene;
  const rest = members.sids;
  const order = members.sids.map(() => rest.splice(random.below(rest.length), 1)[0] ?? 0);
  const outer = Math.floor(order.length / 2);
  const [left, right] = [order.slice(0, outer), order.slice(-outer)];
  await fabric.cut(
    left.flatMap((at) => right.map((other): Cut => ({ at, peer: addressOf(other) }))),
  );
  return {
    told: `${left.join(' and ')} do not see ${right.join(' and ')}`,
    serves: order[outer] ?? null,
  };
}

async function loss({ fabric, members, random }: Scene): Promise<Broken> {
  const percent = random.between(3, 15);
  await fabric.cut(members.sids.map((at) => ({ at, direction: 'in', chance: percent / 100 })));
  return { told: `${percent} % of all packets`, serves: random.pick(members.sids) };
}

async function slow({ fabric, members, random }: Scene): Promise<Broken> {
  return { told: await fabric.slow(), serves: random.pick(members.sids) };
}

/** It is killed behind the cut: its peers keep connections to a process that is no more. */
async function halfOpen(scene: Scene): Promise<Broken> {
  const { fabric, members, random } = scene;
  const [sid, name] = await victim(scene, 0.6);
  await fabric.cut([{ at: sid }]);
  let back: Promise<void> = Promise.resolve();
  return {
    told: `${name} from everybody, and killed there`,
    serves: random.pick(othersThan(scene, [sid])),
    async meanwhile() {
      await members.end(sid);
      back = members.start(sid);
      // whether it comes back is asked afterwards
      back.catch(() => undefined);
    },
    async after() {
      await back;
    },
  };
}

/** Open connections live on, new ones hang; then the leader is killed, and all have to connect anew. */
async function noSyn(scene: Scene): Promise<Broken> {
  const { fabric, members, random } = scene;
  const leader = await members.leader();
  const sid = random.pick(othersThan(scene, [leader]));
  await fabric.cut(fromServers(scene, sid).map((cut) => ({ ...cut, onlySyn: true })));
  return {
    told: `follower ${sid} gets and makes no new connections, leader ${leader} is killed`,
    serves: null,
    async meanwhile() {
      await members.end(leader);
    },
    async after() {
      await members.start(leader);
    },
  };
}

/** By name, with how often each is drawn. */
export const cuts: Readonly<Record<string, readonly [weight: number, run: Break]>> = {
  isolate: [2, isolate],
  'cut-off': [3, cutOff],
  'one-way-out': [2, (scene) => oneWay(scene, 'out')],
  'one-way-in': [2, (scene) => oneWay(scene, 'in')],
  'election-port': [1, electionPort],
  'quorum-port': [2, quorumPort],
  'client-port': [1, clientPort],
  bridge: [2, bridge],
  loss: [1, loss],
  slow: [1, slow],
  'half-open': [2, halfOpen],
  'no-syn': [1, noSyn],
};
