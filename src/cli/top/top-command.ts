/**
 * `zabra top`: an ensemble and its sessions as they are now, again and again. A person sees a screen
 * that is drawn over; a pipe gets a block of text each time, or JSON.
 */
import { numberOf, parseArguments, UsageError } from '../arguments.js';
import { hostAndPortOf } from '../place-argument.js';
import { exitCodes } from '../terminal.js';
import type { Terminal } from '../terminal.js';
import { membersIn } from './members.js';
import { pictureJson, pictureLines, pictureOf } from './picture.js';
import { lookAtServer, type Address, type ServerSight } from './sight.js';

export const topUsage = `zabra top [HOST:PORT,…] [--interval SECONDS] [--count N] [--sessions N] [--only] [--json]
          [--admin-port N]

Shows the servers of an ensemble and the sessions that ask the most: at a terminal on a screen that
stays true until Ctrl-C, in a pipe as a block of text each time. The others are found from the
configuration of the first that answers; 127.0.0.1:2181 unless given.

  --interval    seconds between two looks, 2
  --count       end after so many looks
  --sessions    show so many, 15
  --only        the servers that are named, and not those that belong to them
  --json        a line of JSON for each look
  --admin-port  of their AdminServers, 8080

Servers tell it by the words srvr, mntr and cons, or, where their 4lw.commands.whitelist does not
name those, by the AdminServer.
Ends with 1 when no server answered at the last look.`;

const defaultPort = 2181;
const defaultAddress = `127.0.0.1:${defaultPort}`;
const defaultAdminPort = 8080;
const configTimeoutMs = 3000;
const columnsAssumed = 80;
const rowsAssumed = 24;

export async function runTopCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, {
    values: ['interval', 'count', 'sessions', 'admin-port'],
    flags: ['only', 'json'],
    positionals: 1,
  });
  const named = (args.positionals[0] ?? defaultAddress).split(',').map(addressOf);
  const intervalMs = 1000 * (numberOf(args, 'interval', 1, 3600) ?? 2);
  const countMax = numberOf(args, 'count', 1, 1_000_000_000) ?? Infinity;
  const sessionsMax = numberOf(args, 'sessions', 0, 10_000) ?? 15;
  const adminPort = numberOf(args, 'admin-port', 1, 65_535) ?? defaultAdminPort;
  const ensemble = args.flags.has('only') ? null : await ensembleOf(named);
  const servers =
    ensemble === null || ensemble.servers.length < named.length ? named : ensemble.servers;
  const draw = drawerFor(terminal);
  const stopped = terminal.untilStopped().then(() => true);
  let before: readonly ServerSight[] | null = null;
  let lookedMs = 0;
  for (let count = 1; ; count++) {
    const nowMs = performance.now();
    const now = await Promise.all(servers.map((at) => lookAtServer(at, adminPort)));
    const picture = pictureOf(now, before, nowMs - lookedMs, ensemble?.voters ?? null);
    if (args.flags.has('json')) terminal.print(`${JSON.stringify(pictureJson(picture))}\n`);
    else draw(pictureLines(picture, sessionsMax));
    [before, lookedMs] = [now, nowMs];
    if (count >= countMax || (await isOverWithin(stopped, intervalMs))) {
      const isServed = now.some(({ role }) => role !== 'silent');
      return isServed ? exitCodes.finished : exitCodes.unexpected;
    }
  }
}

function addressOf(text: string): Address {
  const place = hostAndPortOf(text);
  if (place === null) throw new UsageError(`'${text}' is not host:port`);
  return place;
}

/** Null: nobody told who belongs together. */
async function ensembleOf(named: readonly Address[]): Promise<ReturnType<typeof membersIn>> {
  const { Client } = await import('../../node/client.js');
  const list = named.map(({ host, port }) => {
    return `${host.includes(':') ? `[${host}]` : host}:${port}`;
  });
  const client = new Client(list.join(','), { readOnly: true, name: 'zabra top' });
  try {
    await client.connect({ timeoutMs: configTimeoutMs });
    const { data } = await client.getConfig();
    return membersIn(data.toString('utf8'), named[0]?.port ?? defaultPort);
  } catch {
    // without a quorum nobody tells it: those that were named are what there is
    return null;
  } finally {
    await client.close();
  }
}

/** A screen is drawn over; for a pipe, an empty line parts what was from what is. */
function drawerFor(terminal: Terminal): (lines: readonly string[]) => void {
  let drawn = 0;
  let isFirst = true;
  return (lines) => {
    if (terminal.columns === undefined) {
      terminal.print(`${isFirst ? '' : '\n'}${lines.join('\n')}\n`);
      isFirst = false;
      return;
    }
    // what does not fit would move the screen, and the next drawing would miss
    const columns = terminal.columns || columnsAssumed;
    const rows = process.stdout.rows || rowsAssumed;
    const cut = lines.slice(0, rows - 1).map((line) => line.slice(0, columns - 1));
    const back = drawn === 0 ? '' : `\x1b[${drawn}F\x1b[J`;
    terminal.print(`${back}${cut.join('\n')}\n`);
    drawn = cut.length;
  };
}

/** False: the time is over first. */
async function isOverWithin(stopped: Promise<boolean>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, ms);
  });
  try {
    return await Promise.race([stopped, waited]);
  } finally {
    clearTimeout(timer);
  }
}
