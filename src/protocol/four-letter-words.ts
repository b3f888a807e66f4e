/**
 * What servers answer to the four-letter words that tools and health checks ask, out of the text: the
 * same words in the same layout from every Apache server since 3.5 and from this one. Only the text is
 * read here; who asks has a connection, a patience and a use for the answer. Lines that are not known
 * are passed over, as each release adds some.
 */
import { parseHex, type Zxid } from './zxid.js';

export const serverModes = ['standalone', 'leader', 'follower', 'observer', 'read-only'] as const;

export type ServerMode = (typeof serverModes)[number];

/** Milliseconds. */
export interface LatencyMs {
  readonly min: number;
  readonly avg: number;
  readonly max: number;
}

/** The answer to `srvr`. Null: the server does not say, or what it says is no such figure. */
export interface ServerFigures {
  /** `3.9.5`, `3.9.5-zabra-0.1.0`: without Apache's commit and the time of the build. */
  readonly version: string | null;
  readonly mode: ServerMode;
  readonly zxid: Zxid;
  readonly latencyMs: LatencyMs | null;
  readonly received: number | null;
  readonly sent: number | null;
  readonly connections: number | null;
  readonly outstanding: number | null;
  readonly nodeCount: number | null;
}

/** Why there is no answer in an answer. */
export type Refusal =
  /** It looks for a leader, or has just begun. */
  | 'not-serving'
  /** Its whitelist does not name the word. */
  | 'not-whitelisted';

/** Null: the server does not refuse. `isro` has its own way of saying so, for which see there. */
export function refusalIn(text: string): Refusal | null {
  if (/^This ZooKeeper instance is not currently serving requests\s*$/.test(text)) {
    return 'not-serving';
  }
  return /^.{0,16} is not executed because it is not in the whitelist\.\s*$/.test(text)
    ? 'not-whitelisted'
    : null;
}

/** Null: this is no answer to `srvr` of a server that serves, or it was cut off. */
export function readSrvr(text: string): ServerFigures | null {
  const fields = pairsIn(text, ': ');
  const mode = modeIn(fields.get('Mode'));
  const zxid = zxidIn(fields.get('Zxid'));
  if (mode === null || zxid === null) return null;
  return {
    version: versionIn(fields.get('Zookeeper version')),
    mode,
    zxid,
    latencyMs: latencyIn(fields.get('Latency min/avg/max')),
    received: figureOf(fields, 'Received'),
    sent: figureOf(fields, 'Sent'),
    connections: figureOf(fields, 'Connections'),
    outstanding: figureOf(fields, 'Outstanding'),
    nodeCount: figureOf(fields, 'Node count'),
  };
}

/**
 * The figures of `mntr` by name, without the `zk_` in front of each; empty where the answer is none.
 * They are texts, as some are versions and states: `figureOf` has the numbers.
 */
export function readMntr(text: string): Map<string, string> {
  const figures = new Map<string, string>();
  for (const [name, value] of pairsIn(text, '\t')) {
    if (name.startsWith('zk_')) figures.set(name.slice(3), value);
  }
  return figures;
}

/** Null: it serves nobody now, which it calls null, or does not tell. */
export function readIsro(text: string): 'ro' | 'rw' | null {
  const word = text.trim();
  return word === 'ro' || word === 'rw' ? word : null;
}

/** The settings of `conf`, without the members of the ensemble behind them; empty where it is none. */
export function readConf(text: string): Map<string, string> {
  const at = text.search(/^membership:/m);
  return pairsIn(at < 0 ? text : text.slice(0, at), '=');
}

/** The members at the end of `conf`, as in the configuration's file; null: it names none. */
export function membershipIn(text: string): string | null {
  const at = text.search(/^membership:/m);
  if (at < 0) return null;
  const end = text.indexOf('\n', at);
  return end < 0 ? '' : text.slice(end + 1);
}

/** Null: there is no such figure, or it is no number. */
export function figureOf(figures: ReadonlyMap<string, string>, name: string): number | null {
  return numberIn(figures.get(name));
}

function modeIn(text: string | undefined): ServerMode | null {
  return serverModes.find((mode) => mode === text) ?? null;
}

function zxidIn(text: string | undefined): Zxid | null {
  return text?.startsWith('0x') === true ? parseHex(text.slice(2)) : null;
}

function versionIn(text: string | undefined): string | null {
  const version = text?.split(/[,\s]/, 1)[0]?.replace(/-[0-9a-f]{40}$/, '');
  return version === undefined || version === '' ? null : version;
}

function latencyIn(text: string | undefined): LatencyMs | null {
  const parts = text?.split('/').map(numberIn) ?? [];
  const [min, avg, max] = parts;
  if (parts.length !== 3 || min == null || avg == null || max == null) return null;
  return { min, avg, max };
}

function numberIn(text: string | undefined): number | null {
  return text !== undefined && /^-?\d+(?:\.\d+)?(?:E-?\d+)?$/.test(text) ? Number(text) : null;
}

/** The first of each name, as a server writes it once and nobody behind may write it anew. */
function pairsIn(text: string, separator: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf(separator);
    if (at <= 0) continue;
    const name = line.slice(0, at).trim();
    if (!pairs.has(name)) pairs.set(name, line.slice(at + separator.length).trim());
  }
  return pairs;
}
