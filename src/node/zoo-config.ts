/**
 * A configuration for a server inside a program: from options, as the text of zoo.cfg, and what of
 * another one a running server can take over.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  configOf,
  formatProblem,
  parseConfig,
  writeSetting,
  type ServerConfig,
} from '../server/config/config.js';
import type { EnsembleConfig } from '../server/config/ensemble-config.js';
import { roleOf } from '../server/config/known-keys.js';
import { loadConfig } from '../server/config/load-config.js';
import type { Members } from '../server/config/members.js';
import {
  settingNames,
  settings,
  type SettingName,
  type SettingValues,
} from '../server/config/settings.js';
import { configText } from '../server/ensemble/config-text.js';
import { nodeConfigFiles } from './config-files.js';

/** The ensemble that the server is a member of. */
export interface EnsembleOptions {
  /**
   * All its servers by their numbers, as in zoo.cfg: `10.0.0.1:2888:3888[:observer][;2181]`. Once a
   * reconfiguration has changed them, what this server's data directory says of them counts.
   */
  readonly servers?: Readonly<Record<number, string>>;
  /** In ticks; 10 unless given. */
  readonly initLimit?: number;
  /** In ticks; 5 unless given. */
  readonly syncLimit?: number;
  /** Whether servers may join and leave; true unless given. */
  readonly reconfigEnabled?: boolean;
  /** Of a server that is to join: where it listens for the others; any free ones unless given. */
  readonly quorumPort?: number;
  readonly electionPort?: number;
  /** Of a server that is to join: whether it will vote; a participant unless given. */
  readonly peerType?: 'participant' | 'observer';
}

/** What concerns an ensemble, and settings of any server. */
export function apart(
  given: EnsembleOptions & Partial<SettingValues>,
): [EnsembleOptions, Partial<SettingValues>] {
  const { servers, initLimit, syncLimit, reconfigEnabled, ...others } = given;
  const { quorumPort, electionPort, peerType, ...values } = others;
  const all = {
    servers,
    initLimit,
    syncLimit,
    reconfigEnabled,
    quorumPort,
    electionPort,
    peerType,
  };
  const isGiven = ([, value]: [string, unknown]): boolean => value !== undefined;
  return [Object.fromEntries(Object.entries(all).filter(isGiven)), values];
}

export const initLimitDefault = 10;
export const syncLimitDefault = 5;

/** Throws TypeError with everything that is wrong. */
export function configFrom(
  id: number,
  { servers = {}, initLimit, syncLimit, reconfigEnabled }: EnsembleOptions,
  values: Partial<SettingValues>,
): ServerConfig {
  const alone = configOf(values);
  const lines = Object.entries(servers).map(([sid, place]) => `server.${sid}=${place}`);
  if (lines.length === 0) return { ...alone, myid: id };
  const text = [
    settingLines(alone).join('\n'),
    `initLimit=${initLimit ?? initLimitDefault}`,
    `syncLimit=${syncLimit ?? syncLimitDefault}`,
    `reconfigEnabled=${reconfigEnabled ?? true}`,
    'standaloneEnabled=false',
    ...lines,
  ].join('\n');
  const file = null;
  const result = parseConfig({ text, file, env: {}, properties: new Map(), myid: String(id) });
  if (!('config' in result)) {
    throw new TypeError(result.problems.map(formatProblem).join('; '));
  }
  return { ...result.config, initialConfig: '', properties: new Map() };
}

/** What differs from the defaults. */
function settingLines(config: SettingValues): string[] {
  const defaults: SettingValues = configOf({ dataDir: config.dataDir });
  return settingNames
    .filter((name) => name === 'dataDir' || textOf(config, name) !== textOf(defaults, name))
    .map((name) => `${settings[name].key}=${textOf(config, name)}`);
}

/** As zoo.cfg would have it, the members in it; `members` as they are in force. */
export function configFileText(config: ServerConfig, members: Members): string {
  const lines = settingLines(config);
  for (const [name, value] of config.properties) {
    const key = name.startsWith('zookeeper.') ? name.slice('zookeeper.'.length) : null;
    if (key !== null && roleOf(key, value) === 'unknown') lines.push(`${key}=${value}`);
  }
  if (config.ensemble.isDistributed) lines.push(...ensembleLines(config.ensemble, members));
  return `${lines.join('\n')}\n`;
}

function ensembleLines(ensemble: EnsembleConfig, members: Members): string[] {
  const { initLimit, syncLimit, otherSettings } = ensemble;
  const flags = {
    standaloneEnabled: ensemble.standaloneEnabled,
    reconfigEnabled: ensemble.reconfigEnabled,
    quorumListenOnAllIPs: ensemble.quorumListenOnAllIps,
    localSessionsEnabled: ensemble.localSessionsEnabled,
    localSessionsUpgradingEnabled: ensemble.localSessionsUpgradingEnabled,
  };
  return [
    `initLimit=${initLimit}`,
    `syncLimit=${syncLimit}`,
    ...Object.entries(flags).map(([key, value]) => `${key}=${value}`),
    ...[...otherSettings].map(([key, value]) => `${key}=${value}`),
    ...memberLines(members),
  ];
}

function memberLines(members: Members): string[] {
  return configText(members)
    .split('\n')
    .filter((line) => !line.startsWith('version='));
}

/** Settings that a running server takes over; the others need a restart. */
const hotSettings: ReadonlySet<SettingName> = new Set<SettingName>([
  'maxClientCnxns',
  'maxCnxns',
  'minSessionTimeoutMs',
  'maxSessionTimeoutMs',
  'globalOutstandingLimit',
  'fourLetterWhitelist',
]);

export interface Reload {
  /** With what can be taken over at once. */
  readonly config: ServerConfig;
  readonly applied: string[];
  readonly needRestart: string[];
}

/** Throws TypeError with every problem of the file. */
export function reload(current: ServerConfig, members: Members, file: string): Reload {
  const next = read(resolve(file), current.myid);
  const changed = settingNames.filter((name) => textOf(next, name) !== textOf(current, name));
  const applied = changed.filter((name) => hotSettings.has(name));
  const hot = Object.fromEntries(applied.map((name) => [name, next[name]]));
  const needRestart: string[] = changed.filter((name) => !hotSettings.has(name));
  if (memberLines(next.ensemble).join() !== memberLines(members).join()) {
    needRestart.push('servers');
  }
  for (const name of ['initLimit', 'syncLimit', 'reconfigEnabled'] as const) {
    const isNew = next.ensemble[name] !== current.ensemble[name];
    if (next.ensemble.isDistributed && isNew) needRestart.push(name);
  }
  return { config: { ...current, ...hot }, applied, needRestart };
}

/** The number of a server inside a program need not stand in a file. */
function read(file: string, myid: number | null): ServerConfig {
  const own = new TextEncoder().encode(String(myid ?? 1));
  const result = loadConfig(
    { file, env: {}, properties: new Map() },
    {
      ...nodeConfigFiles,
      read: (path) => {
        const bytes = nodeConfigFiles.read(path);
        return bytes === null && path.endsWith('/myid') ? own : bytes;
      },
    },
  );
  if ('config' in result) return result.config;
  throw new TypeError(result.problems.map(formatProblem).join('; '));
}

export function hasMyid(dataDir: string): boolean {
  try {
    readFileSync(join(dataDir, 'myid'));
    return true;
  } catch {
    // none that can be read: then this server's number is written there
    return false;
  }
}

function textOf(values: SettingValues, name: SettingName): string {
  return writeSetting(name, values[name]);
}
