/** What lies on this host of the server that a zoo.cfg configures. */
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { looksLikeLog, looksLikeSnapshot } from '../../storage/names.js';
import type { HostSight, Place } from './examination.js';

const VERSION_DIRECTORY = 'version-2';

/** `raw` are the settings as they stand in the file, whether or not a server would start with them. */
export function hostSightOf(configFile: string, raw: ReadonlyMap<string, string>): HostSight {
  const dataDir = raw.get('dataDir') ?? '.';
  const logDir = raw.get('dataLogDir') ?? dataDir;
  const { bavail, blocks, bsize } = statfsSync(existsSync(logDir) ? logDir : '.');
  const count = (directory: string, isOne: (name: string) => boolean): number => {
    const versioned = join(directory, VERSION_DIRECTORY);
    return existsSync(versioned) ? readdirSync(versioned).filter(isOne).length : 0;
  };
  const myidFile = join(dataDir, 'myid');
  return {
    configFile,
    dataDir,
    freeBytes: bavail * bsize,
    totalBytes: blocks * bsize,
    snapshotFiles: count(dataDir, looksLikeSnapshot),
    logFiles: count(logDir, looksLikeLog),
    purgeIntervalHours: Number(raw.get('autopurge.purgeInterval') ?? 0),
    isFlushing: raw.get('forceSync') !== 'no',
    myid: existsSync(myidFile) ? readFileSync(myidFile, 'utf8').trim() : null,
    sids: [...sidLines(raw)].map(([sid]) => sid),
  };
}

/** The servers that the file names, as far as it says where their clients connect. */
export function placesIn(raw: ReadonlyMap<string, string>): Place[] {
  const port = Number(raw.get('clientPort') ?? NaN);
  const places: Place[] = [];
  for (const [, value] of sidLines(raw)) {
    const [addresses = '', client] = value.split(';');
    const host = /^(?:\[([^\]]+)\]|([^:]+))/.exec(addresses);
    const own = client === undefined ? port : Number(client.split(':').at(-1));
    const name = host?.[1] ?? host?.[2];
    if (name !== undefined && Number.isInteger(own)) places.push({ host: name, port: own });
  }
  if (places.length > 0) return places;
  const host = raw.get('clientPortAddress') ?? '127.0.0.1';
  return Number.isInteger(port) ? [{ host: host === '0.0.0.0' ? '127.0.0.1' : host, port }] : [];
}

function* sidLines(raw: ReadonlyMap<string, string>): Generator<[number, string]> {
  for (const [key, value] of raw) {
    const sid = /^server\.(\d+)$/.exec(key)?.[1];
    if (sid !== undefined) yield [Number(sid), value];
  }
}
