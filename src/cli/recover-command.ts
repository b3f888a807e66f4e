/**
 * `zabra recover`: the quorum is lost for good, and what is left shall go on. The last resort, and the
 * only command that may lose acknowledged writes: it looks first, says what that means, and does
 * nothing before somebody has agreed.
 */
import type { Logger } from '../ports/logger.js';
import { bracketed } from './init-plan.js';
import { parseArguments, UsageError } from './arguments.js';
import { loggerFor } from './logging.js';
import { carryOut } from './recover-files.js';
import {
  commonEnsemble,
  isQuorum,
  nameList,
  planRecovery,
  planText,
  type RecoverPlan,
} from './recover-plan.js';
import { exitCodeOf } from './server-command.js';
import { historyOf, lockPlace, placeOf, type Place, type Survivor } from './survivor.js';
import { exitCodes, readLine } from './terminal.js';
import type { Terminal } from './terminal.js';

export const recoverUsage = `zabra recover PLACE… [--config zoo.cfg] [--show] [--yes]

For an ensemble whose majority is gone for good. Takes what is left, the zoo.cfg files or the data
directories of stopped servers, tells how far the history of each goes and what may be lost, and
asks. Then the survivors are an ensemble of their own, all with the newest history; before, a copy of
everything is put aside, in before-recover-… in each data directory. Look for the lost disks first.

Survivors of several hosts: bring copies of their data directories to one machine, name them all
here, and take the directories back.

  --show    only the table, of any stopped servers; nothing is changed, nothing is asked
  --yes     do not ask
  --config  the zoo.cfg for directories that have none in them

  zabra recover /var/lib/zabra
  zabra recover from-b from-d --config /etc/zookeeper/conf/zoo.cfg

Ends with 0 when it was done (or shown), 1 when nobody agreed, 2 for wrong arguments, 3 and more when
a history cannot be read.`;

const word = 'recover';

export async function runRecoverCommand(
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const args = parseArguments(argv, {
    values: ['config'],
    flags: ['show', 'yes'],
    positionals: Infinity,
  });
  const places = args.positionals.map((given) => placeOf(given, args.values.get('config') ?? null));
  const ensemble = commonEnsemble(places);
  const logger = await loggerFor(args, 'error');
  const locks: { release(): void }[] = [];
  try {
    for (const place of places) locks.push(lockPlace(place));
    const plan = planRecovery(await look(places, logger), ensemble);
    terminal.print(planText(plan));
    if (args.flags.has('show')) return exitCodes.finished;
    if (isQuorum(plan)) {
      throw new UsageError(
        `${nameList(plan.survivors.map(({ sid }) => sid))} of ${ensemble.servers.size} are a quorum: ` +
          'start them as they are, and nothing is lost',
      );
    }
    if (!args.flags.has('yes') && !isAgreed(terminal)) {
      terminal.complain('nothing was changed; --yes does it without asking');
      return exitCodes.unexpected;
    }
    const backups = await carryOut(plan, stampNow(), logger);
    terminal.print(outcomeText(plan, backups));
    return exitCodes.finished;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    terminal.complain(error instanceof Error ? error.message : String(error));
    return exitCodeOf(error);
  } finally {
    for (const lock of locks) lock.release();
    logger.close();
  }
}

async function look(places: readonly Place[], logger: Logger): Promise<Survivor[]> {
  const survivors: Survivor[] = [];
  for (const place of places) {
    survivors.push({ ...place, history: await historyOf(place, logger) });
  }
  return survivors;
}

/** Only a person at a terminal is asked. */
function isAgreed(terminal: Terminal): boolean {
  if (terminal.columns === undefined) return false;
  terminal.print(`\nType '${word}' to do this: `);
  return readLine(terminal)?.trim() === word;
}

/** As in 20261121-103000, in UTC. */
function stampNow(): string {
  return new Date().toISOString().replace(/[-:]/g, '').replace('T', '-').replace(/\..*$/, '');
}

function outcomeText(plan: RecoverPlan, backups: readonly string[]): string {
  const { survivors, ensemble } = plan;
  const lines = survivors.flatMap((survivor, index) => [
    `server ${survivor.sid}: start it by  zabra server ${survivor.newConfigFile}`,
    `  what was there before is in ${backups[index] ?? ''}`,
  ]);
  const clients = survivors.map(({ sid, config }) => {
    const member = ensemble.servers.get(sid);
    const host = member?.addresses[0]?.host ?? '';
    return `${bracketed(host)}:${member?.client?.port ?? config.clientPort}`;
  });
  const after =
    survivors.length === 1
      ? ['It serves alone until it has company: nothing it writes is anywhere else.']
      : [];
  return `\nrecovered.\n${[...lines, ...after].join('\n')}\nclients connect to ${clients.join(',')}\n`;
}
