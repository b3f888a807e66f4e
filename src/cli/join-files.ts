/**
 * The files of a server that joins: zoo.cfg, the members in a dynamic file beside it, and its number.
 * The members have no version yet: what the ensemble says of itself counts, from the first vote on.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { EnsembleServer } from '../server/config/ensemble-config.js';
import type { Members } from '../server/config/members.js';
import { configText } from '../server/ensemble/config-text.js';
import { dynamicFileText } from '../server/config/dynamic-files.js';
import { UsageError } from './arguments.js';
import { propertyText } from './property-text.js';

/** A later attempt may write over what an earlier one left. */
const mark = '# Written by zabra join.';

const usual: Readonly<Record<string, string>> = {
  tickTime: '2000',
  initLimit: '10',
  syncLimit: '5',
  reconfigEnabled: 'true',
  'autopurge.purgeInterval': '1',
  '4lw.commands.whitelist': 'srvr, ruok, mntr',
  'admin.serverAddress': '127.0.0.1',
};

export interface JoinFiles {
  readonly dataDir: string;
  readonly config: string;
}

export function joinFilesIn(data: string): JoinFiles {
  const dataDir = resolve(data);
  return { dataDir, config: join(dataDir, 'zoo.cfg') };
}

/** Throws UsageError when there is something that somebody may want to keep. */
export function refuseForeignData({ dataDir, config }: JoinFiles, sid: number): void {
  if (!existsSync(dataDir) || readdirSync(dataDir).length === 0) return;
  const isOurs = existsSync(config) && readFileSync(config, 'latin1').startsWith(mark);
  const myid = join(dataDir, 'myid');
  const isSame = isOurs && existsSync(myid) && readFileSync(myid, 'latin1').trim() === String(sid);
  if (isSame) return;
  throw new UsageError(
    `${dataDir} is not empty, and not of an earlier attempt to join as ${sid}: --data names another`,
  );
}

/** `given`: lines of its own, over the usual ones. */
export function writeJoinFiles(
  { dataDir, config }: JoinFiles,
  joiner: EnsembleServer,
  members: Members,
  given: ReadonlyMap<string, string>,
): void {
  mkdirSync(dataDir, { recursive: true });
  for (const name of readdirSync(dataDir)) {
    if (name.startsWith('zoo.cfg')) rmSync(join(dataDir, name));
  }
  const dynamic = `${config}.dynamic`;
  const servers = new Map([...members.servers, [joiner.sid, joiner]]);
  const text = configText({ ...members, servers, version: 0n });
  writeFileSync(dynamic, `${dynamicFileText(text, false)}\n`, 'latin1');
  const values = { ...usual, ...Object.fromEntries(given) };
  const lines = [
    `${mark} What the servers have in common (tickTime, limits, passwords) must be the same here.`,
    ...Object.entries(values).map(([key, value]) => `${key}=${propertyText(value)}`),
    `dataDir=${propertyText(dataDir)}`,
    `dynamicConfigFile=${propertyText(dynamic)}`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`, 'latin1');
  writeFileSync(join(dataDir, 'myid'), `${joiner.sid}\n`);
}
