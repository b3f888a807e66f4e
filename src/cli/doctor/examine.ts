/**
 * Looks at an ensemble from outside, with what every server of either kind answers: four-letter words
 * and `/zookeeper/config`. Nothing is written and no session outlives its question. From the servers
 * that were named it goes on to those that their configuration names.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { askMembers } from '../../node/ask-members.js';
import { nodeNetwork } from '../../node/network.js';
import { readMembers, type Members } from '../../server/config/members.js';
import { askWord, NoAnswerError } from '../word-command.js';
import {
  placeText,
  type ClosedPort,
  type Examination,
  type Health,
  type HostSight,
  type Place,
  type ServerSight,
} from './examination.js';

const SECOND_LOOK_MS = 1000;
const anyHost = /^(?:0\.0\.0\.0|::|0:0:0:0:0:0:0:0)$/;

export interface ExamineOptions {
  readonly timeoutMs: number;
  /** Told as it goes. */
  readonly say: (line: string) => void;
}

export async function examine(
  places: readonly Place[],
  host: HostSight | null,
  options: ExamineOptions,
): Promise<Examination> {
  const asked = new Map<string, Place>(places.map((place) => [placeText(place), place]));
  options.say(`asking ${[...asked.keys()].join(', ')}`);
  const sights = await Promise.all([...asked.values()].map((place) => lookAt(place, options)));
  const others = [...placesOf(newestOf(sights))].filter(([name]) => !asked.has(name));
  if (others.length > 0) {
    options.say(`and, as they name them, ${others.map(([name]) => name).join(', ')}`);
    sights.push(...(await Promise.all(others.map(([, place]) => lookAt(place, options)))));
  }
  const members = newestOf(sights);
  const identified = byElimination(
    sights.map((sight) => identify(sight, members)),
    members,
  );
  const [closedPorts, servers] = await Promise.all([
    closedPortsOf(members, options),
    lookAgain(identified, options),
  ]);
  return { servers, members, closedPorts, host };
}

async function lookAt(place: Place, { timeoutMs }: ExamineOptions): Promise<ServerSight> {
  const nobody: ServerSight = {
    ...{ place, health: 'silent', reason: '', sid: null, claimedSid: null },
    ...{ mode: null, version: null, zxid: null, laterZxid: null, members: null },
    ...{ figures: new Map<string, string>(), settings: new Map<string, string>() },
  };
  const word = (name: string): Promise<string> => askWord(name, place.host, place.port, timeoutMs);
  let srvr: string;
  try {
    srvr = await word('srvr');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...nobody, health: error instanceof NoAnswerError ? 'hanging' : 'silent', reason };
  }
  const settingsText = await word('conf').catch(() => '');
  const monitor = await word('mntr').catch(() => '');
  const settings = pairsOf(settingsText, '=');
  const claimed = Number(settings.get('serverId') ?? NaN);
  const health = healthOf(srvr);
  return {
    ...nobody,
    health,
    claimedSid: Number.isInteger(claimed) ? claimed : null,
    mode: /^Mode: (\S+)/m.exec(srvr)?.[1] ?? null,
    version:
      /^Zookeeper version: ([^,\s]+)/im.exec(srvr)?.[1]?.replace(/-[0-9a-f]{40}$/, '') ?? null,
    zxid: zxidIn(srvr),
    figures: new Map(
      [...pairsOf(monitor, '\t')].map(([key, value]) => [key.replace(/^zk_/, ''), value]),
    ),
    settings,
    members: membersIn(settingsText) ?? (await membersAt(place, health, timeoutMs)),
  };
}

function healthOf(srvr: string): Health {
  const mode = /^Mode: (\S+)/m.exec(srvr)?.[1];
  if (mode === undefined) return 'not-serving';
  return mode === 'read-only' ? 'read-only' : 'serving';
}

function zxidIn(srvr: string): bigint | null {
  const text = /^Zxid: (0x[0-9a-f]+)/m.exec(srvr)?.[1];
  return text === undefined ? null : BigInt(text);
}

/** A word that is not allowed is answered with a sentence, in which there are no pairs. */
function pairsOf(text: string, separator: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf(separator);
    if (at > 0) pairs.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return pairs;
}

/** Out of the end of what `conf` says of a member of an ensemble. */
function membersIn(settings: string): Members | null {
  const at = settings.search(/^membership:/m);
  if (at < 0) return null;
  const reading = readMembers(settings.slice(settings.indexOf('\n', at) + 1));
  return reading.ok && reading.members.servers.size > 0 ? reading.members : null;
}

/** Where `conf` is not allowed, the znode says it to everybody who has a session. */
async function membersAt(place: Place, health: Health, timeoutMs: number): Promise<Members | null> {
  if (health !== 'serving') return null;
  try {
    const reading = readMembers(await askMembers(nodeNetwork, { ...place, timeoutMs }));
    return reading.ok && reading.members.servers.size > 0 ? reading.members : null;
  } catch {
    // it has gone since, or shows its configuration to nobody
    return null;
  }
}

function newestOf(sights: readonly ServerSight[]): Members | null {
  let newest: Members | null = null;
  for (const { members } of sights) {
    if (members !== null && (newest === null || members.version > newest.version)) newest = members;
  }
  return newest;
}

function* placesOf(members: Members | null): Generator<[string, Place]> {
  for (const { client, addresses } of members?.servers.values() ?? []) {
    if (client === null) continue;
    const host = anyHost.test(client.host) ? addresses[0]?.host : client.host;
    if (host === undefined) continue;
    const place = { host, port: client.port };
    yield [placeText(place), place];
  }
}

/** Who is meant to be at that address; where nobody is named, who it says it is. */
function identify(sight: ServerSight, members: Members | null): ServerSight {
  for (const [sid, server] of members?.servers ?? []) {
    if (server.client?.port !== sight.place.port) continue;
    const hosts = [server.client.host, ...server.addresses.map(({ host }) => host)];
    if (hosts.includes(sight.place.host)) return { ...sight, sid };
  }
  return { ...sight, sid: sight.claimedSid };
}

/** One address and one number are left over: they belong together. */
function byElimination(sights: readonly ServerSight[], members: Members | null): ServerSight[] {
  const nameless = sights.filter(({ sid }) => sid === null);
  const placeless = [...(members?.servers.keys() ?? [])].filter(
    (sid) => !sights.some((sight) => sight.sid === sid),
  );
  const [sid] = placeless;
  if (sid === undefined || placeless.length > 1 || nameless.length !== 1) return [...sights];
  return sights.map((sight) => (sight === nameless[0] ? { ...sight, sid } : sight));
}

async function closedPortsOf(
  members: Members | null,
  options: ExamineOptions,
): Promise<ClosedPort[]> {
  const tried = [...(members?.servers ?? [])].flatMap(([sid, { addresses, role }]) =>
    role === 'observer'
      ? []
      : addresses.map(async ({ host, electionPort }): Promise<ClosedPort | null> => {
          const place = { host, port: electionPort };
          const reason = await whyClosed(place, options.timeoutMs);
          return reason === null ? null : { sid, place, reason };
        }),
  );
  return (await Promise.all(tried)).filter((port) => port !== null);
}

/** Null: somebody listens there. */
function whyClosed({ host, port }: Place, timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => {
      socket.destroy();
      resolve(null);
    });
    socket.setTimeout(timeoutMs, () => {
      socket.destroy();
      resolve(`no connection in ${timeoutMs} ms`);
    });
    socket.on('error', (error) => {
      resolve(error.message);
    });
  });
}

/** Only where somebody is behind: whether it comes nearer. */
async function lookAgain(
  sights: readonly ServerSight[],
  { timeoutMs }: ExamineOptions,
): Promise<ServerSight[]> {
  const zxids = sights.flatMap(({ zxid, health }) =>
    health === 'serving' && zxid !== null ? zxid : [],
  );
  if (zxids.every((zxid) => zxid === zxids[0])) return [...sights];
  await sleep(SECOND_LOOK_MS);
  return await Promise.all(
    sights.map(async (sight) => {
      if (sight.health !== 'serving') return sight;
      const { host, port } = sight.place;
      const srvr = await askWord('srvr', host, port, timeoutMs).catch(() => '');
      return { ...sight, laterZxid: zxidIn(srvr) };
    }),
  );
}
