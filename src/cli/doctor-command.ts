/**
 * `zabra doctor`: looks at an ensemble, tells what is wrong with it by name, and what to do. For
 * ensembles of either kind, and mixed ones.
 */
import { parseArguments, numberOf, UsageError } from './arguments.js';
import { diagnose } from './doctor/fault.js';
import { faults } from './doctor/faults.js';
import { examine } from './doctor/examine.js';
import type { HostSight, Place } from './doctor/examination.js';
import { hostSightOf, placesIn } from './doctor/host-sight.js';
import { reportJson, reportText } from './doctor/report.js';
import { hostAndPortOf } from './place-argument.js';
import { rawValuesOf, sourceOf } from './server-config.js';
import { exitCodes, type Terminal } from './terminal.js';

export const doctorUsage = `zabra doctor [HOST:PORT,…] [--config zoo.cfg] [--json] [--faults]

Asks the servers of an ensemble, and those that they name, how they are; tells how many more may fail,
what is wrong, by name, and what to do about it. 127.0.0.1:2181 unless given.

  --config   the zoo.cfg of a server on this host: its servers, and what lies here, too
  --json     for programs
  --faults   only lists what is looked for
  --timeout  in milliseconds, for each answer; 3000 unless given

  zabra doctor 10.0.0.1:2181
  zabra doctor --config /etc/zookeeper/zoo.cfg

Ends with 0 when nothing is wrong (notes aside), 1 when something is, 2 for wrong arguments.`;

const TIMEOUT_MS = 3000;
const TIMEOUT_MS_MAX = 600_000;
const COLUMNS = 100;
const PORT_DEFAULT = 2181;

export async function runDoctorCommand(
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const args = parseArguments(argv, {
    values: ['config', 'timeout'],
    flags: ['json', 'faults'],
    positionals: 1,
  });
  if (args.flags.has('faults')) {
    for (const { name, advice } of faults) terminal.print(`${name}\n    ${advice}\n`);
    return exitCodes.finished;
  }
  const configFile = args.values.get('config');
  let host: HostSight | null = null;
  let places: readonly Place[] = [];
  if (configFile !== undefined) {
    const raw = rawValuesOf(
      sourceOf({ ...args, positionals: [configFile], values: new Map() }, {}),
    );
    if (raw.size === 0) throw new UsageError(`${configFile} is not there, or empty`);
    host = hostSightOf(configFile, raw);
    places = placesIn(raw);
  }
  const [given] = args.positionals;
  if (given !== undefined) places = placesOf(given);
  else if (places.length === 0) places = [{ host: '127.0.0.1', port: PORT_DEFAULT }];
  const examination = await examine(places, host, {
    timeoutMs: numberOf(args, 'timeout', 1, TIMEOUT_MS_MAX) ?? TIMEOUT_MS,
    // a person waits for a second or more; a program does not read it
    say: (line) => {
      if (terminal.columns !== undefined) terminal.complain(line);
    },
  });
  const found = diagnose(faults, examination);
  terminal.print(
    args.flags.has('json')
      ? reportJson(examination, found)
      : reportText(examination, found, faults.length, terminal.columns ?? COLUMNS),
  );
  return found.some(({ severity }) => severity !== 'note')
    ? exitCodes.unexpected
    : exitCodes.finished;
}

/** A connect string, as clients have it; what stands behind a slash is not the servers'. */
function placesOf(text: string): Place[] {
  const [servers = ''] = text.split('/');
  return servers.split(',').map((item) => {
    const trimmed = item.trim();
    const place = hostAndPortOf(/:\d+$/.test(trimmed) ? trimmed : `${trimmed}:${PORT_DEFAULT}`);
    if (place === null) throw new UsageError(`'${trimmed}' is not host:port`);
    return place;
  });
}
