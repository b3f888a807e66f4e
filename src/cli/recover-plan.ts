/**
 * What is left of an ensemble and what to make of it: who survives, whose history is the newest, who
 * is lost, and what all that means, in words for whoever has to decide it.
 */
import { formatZxid } from '../protocol/zxid.js';
import { configText } from '../server/ensemble/config-text.js';
import type { EnsembleConfig } from '../server/config/ensemble-config.js';
import { quorumOf } from '../zab/quorum.js';
import { UsageError } from './arguments.js';
import { compareHistories, type Place, type Survivor } from './survivor.js';

export interface RecoverPlan {
  readonly survivors: readonly Survivor[];
  readonly newest: Survivor;
  readonly lost: readonly number[];
  /** None of those left could vote: they can from now on. */
  readonly arePromoted: boolean;
  readonly ensemble: EnsembleConfig;
  /** Promised by all: the next leader's epoch is beyond. */
  readonly epoch: number;
}

/**
 * Beyond the survivors' epochs lie those of the lost ones, of which nobody is left to tell. The next
 * epoch must not be one of them, or two transactions would have the same zxid.
 */
const epochsSkipped = 1000;

/** The configuration that the places agree on, the newest one. Throws UsageError when they do not. */
export function commonEnsemble(places: readonly Place[]): EnsembleConfig {
  const [first, ...others] = places;
  if (first === undefined) throw new UsageError('name what is left: zoo.cfg files or directories');
  let newest = first;
  for (const place of others) {
    const [one, other] = [newest.config.ensemble, place.config.ensemble];
    if (other.version > one.version) newest = place;
    else if (other.version === one.version && configText(other) !== configText(one)) {
      throw new UsageError(
        `${newest.configFile} and ${place.configFile} name different members: ` +
          'make them say the same, what the ensemble was before',
      );
    }
  }
  const twin = places.find(({ sid }, index) => places.findIndex((one) => one.sid === sid) < index);
  if (twin !== undefined) throw new UsageError(`two of the places are of server ${twin.sid}`);
  return newest.config.ensemble;
}

export function planRecovery(
  survivors: readonly Survivor[],
  ensemble: EnsembleConfig,
): RecoverPlan {
  const [first, ...others] = survivors;
  if (first === undefined) throw new UsageError('name what is left: zoo.cfg files or directories');
  const newest = others.reduce(
    (best, one) => (compareHistories(one.history, best.history) > 0 ? one : best),
    first,
  );
  const sids = new Set(survivors.map(({ sid }) => sid));
  const mayVote = ({ sid }: Place): boolean => ensemble.servers.get(sid)?.role === 'participant';
  const accepted = survivors.map(({ history }) => Math.max(history.acceptedEpoch, history.epoch));
  return {
    survivors,
    newest,
    lost: [...ensemble.servers.keys()].filter((sid) => !sids.has(sid)),
    arePromoted: !survivors.some(mayVote),
    ensemble,
    epoch: Math.max(...accepted) + epochsSkipped,
  };
}

/** Enough are left: nothing is lost, and there is nothing to recover. */
export function isQuorum({ survivors, ensemble }: RecoverPlan): boolean {
  return quorumOf(ensemble).contains(new Set(survivors.map(({ sid }) => sid)));
}

/** The table and what it means. */
export function planText(plan: RecoverPlan): string {
  return `${tableText(plan)}\n\n${meaningText(plan)}\n`;
}

function tableText({ survivors, newest, lost, ensemble }: RecoverPlan): string {
  const rows = survivors.map(({ sid, given, history }) => [
    ...[String(sid), ensemble.servers.get(sid)?.role ?? '-', String(history.epoch)],
    ...[formatZxid(history.lastZxid), verdictOn(history, newest), given],
  ]);
  for (const sid of lost) {
    rows.push([String(sid), ensemble.servers.get(sid)?.role ?? '-', '-', '-', 'not given', '-']);
  }
  const table = [['server', 'role', 'epoch', 'last zxid', 'history', 'place'], ...rows];
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function verdictOn(history: Survivor['history'], newest: Survivor): string {
  if (compareHistories(history, newest.history) === 0) return 'newest';
  const behind = newest.history.lastZxid - history.lastZxid;
  if (history.lastZxid >> 32n !== newest.history.lastZxid >> 32n) return 'of an older epoch';
  return behind > 0n ? `${behind} behind` : 'of an older epoch';
}

function meaningText(plan: RecoverPlan): string {
  const { survivors, newest, lost, arePromoted } = plan;
  const end = formatZxid(newest.history.lastZxid);
  const gone = nameList(lost);
  const others = survivors.filter(({ sid }) => sid !== newest.sid);
  const lines = [
    `The newest history left is that of server ${newest.sid}: it ends with ${end}. The ensemble will`,
    `go on from there${others.length === 0 ? ' alone' : `, and ${nameList(others.map(({ sid }) => sid))} gets a copy of it`}.`,
    '',
    `What may be lost: every write after ${end} that ${gone} acknowledged. Clients were told that`,
    'those writes succeeded; nobody who is left knows of them. What may come to be: writes that only',
    `server ${newest.sid} had written down, and of which no client was told.`,
    '',
    `${gone} must never start again with the old data: together they could be a second ensemble.`,
  ];
  if (arePromoted) lines.push('', 'None of those left could vote: from now on they do.');
  return lines.join('\n');
}

export function nameList(sids: readonly number[]): string {
  const last = sids.at(-1);
  if (sids.length < 2) return `server ${last ?? '?'}`;
  return `servers ${sids.slice(0, -1).join(', ')} and ${last}`;
}
