/**
 * Looks at an ensemble from outside, with what every server of either kind answers: four-letter words
 * and `/zookeeper/config`. Nothing is written and no session outlives its question. From the servers
 * that were named it goes on to those that their configuration names.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { askMembers } from '../../node/ask-members.js';
import {
  membershipIn,
  readConf,
  readMntr,
  readSrvr,
  type ServerFigures,
} from '../../protocol/four-letter-words.js';
import { readMembers, type Members } from '../../server/config/members.js';
import { askWord, NoAnswerError } from '../words/ask-word.js';
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
  const word = (name: string): Promise<string> => askWord(name, place, { timeoutMs });
  let srvr: string;
  try {
    srvr = await word('srvr');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...nobody, health: error instanceof NoAnswerError ? 'hanging' : 'silent', reason };
  }
  const settingsText = await word('conf').catch(() => '');
  const monitor = await word('mntr').catch(() => '');
  const settings = readConf(settingsText);
  const figures = readMntr(monitor);
  const claimed = Number(settings.get('serverId') ?? NaN);
  const told = readSrvr(srvr);
  const health = healthOf(told);
  const listed = membersOf(membershipIn(settingsText));
  const isAsked = listed === null && health === 'serving';
  return {
    ...nobody,
    health,
    claimedSid: Number.isInteger(claimed) ? claimed : null,
    mode: told?.mode ?? null,
    version: told?.version ?? null,
    zxid: told?.zxid ?? null,
    figures,
    settings,
    members: isAsked ? membersOf(await configurationAt(place, timeoutMs)) : listed,
  };
}

/** Every server may be asked srvr: who tells no figures serves nobody. */
function healthOf(told: ServerFigures | null): Health {
  if (told === null) return 'not-serving';
  return told.mode === 'read-only' ? 'read-only' : 'serving';
}

/** Null: they do not stand there, or it belongs to no ensemble. */
function membersOf(text: string | null): Members | null {
  const reading = text === null ? null : readMembers(text);
  return reading?.ok === true && reading.members.servers.size > 0 ? reading.members : null;
}

/** Where `conf` is not allowed, the znode says it to everybody who has a session. Null: not here. */
async function configurationAt(place: Place, timeoutMs: number): Promise<string | null> {
  try {
    return await askMembers({ ...place, timeoutMs });
  } catch {
    // it has gone since, serves nobody, or shows its configuration to nobody
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
      const srvr = await askWord('srvr', sight.place, { timeoutMs }).catch(() => '');
      return { ...sight, laterZxid: readSrvr(srvr)?.zxid ?? null };
    }),
  );
}
