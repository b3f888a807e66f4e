/**
 * `zabra balance status` and the verbs that steer one that runs: from another terminal, or from the
 * script that takes a server down.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BalancerStatus } from '../../balancer/telling/status.js';
import type { ControlPlace } from '../../node/control-file.js';
import { numberOf, parseArguments, UsageError, type Arguments } from '../arguments.js';
import { exitCodes, type Terminal } from '../terminal.js';
import { askControl, controlPlace } from './control-client.js';
import { statusLines } from './status-table.js';

export const steeringVerbs = ['status', 'drain', 'undrain', 'wake', 'sleep', 'weight'] as const;
export type SteeringVerb = (typeof steeringVerbs)[number];

const DRAIN_TIMEOUT_S = 60;
const LOOK_INTERVAL_MS = 200;

export async function steer(
  verb: SteeringVerb,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const args = parseArguments(argv, {
    values: ['control-file', 'timeout'],
    flags: ['json', 'force', 'no-wait'],
    positionals: 2,
  });
  const place = controlPlace(args.values.get('control-file'), terminal.env);
  try {
    return verb === 'status'
      ? await tellStatus(place, args, terminal)
      : await change(verb, place, args, terminal);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    terminal.complain(error instanceof Error ? error.message : String(error));
    return exitCodes.unexpected;
  }
}

/** Ends with 0 when some server is awake. */
async function tellStatus(
  place: ControlPlace,
  args: Arguments,
  terminal: Terminal,
): Promise<number> {
  const status = await statusOf(place);
  const text = args.flags.has('json')
    ? JSON.stringify(status, null, 2)
    : statusLines(status).join('\n');
  terminal.print(`${text}\n`);
  const isServing = status.servers.some(({ set, isHealthy }) => set === 'awake' && isHealthy);
  return isServing ? exitCodes.finished : exitCodes.unexpected;
}

async function change(
  verb: Exclude<SteeringVerb, 'status'>,
  place: ControlPlace,
  args: Arguments,
  terminal: Terminal,
): Promise<number> {
  const [server, amount, ...more] = args.positionals;
  const usage = `zabra balance ${verb} HOST:PORT${verb === 'weight' ? ' NUMBER' : ''}`;
  if (server === undefined || more.length > 0 || (amount !== undefined) !== (verb === 'weight')) {
    throw new UsageError(usage);
  }
  const weight = Number(amount);
  if (verb === 'weight' && !(weight >= 0))
    throw new UsageError(`${usage}: '${amount}' is no number`);
  const body = {
    server,
    ...(verb === 'weight' ? { weight } : {}),
    ...(verb === 'drain' ? { force: args.flags.has('force') } : {}),
  };
  const reply = await askControl(place, 'POST', `/${verb}`, body);
  if (reply.status !== 200) {
    terminal.complain(errorIn(reply.body));
    return exitCodes.unexpected;
  }
  if (verb !== 'drain' || args.flags.has('no-wait')) return exitCodes.finished;
  const timeoutS = numberOf(args, 'timeout', 0, 86_400) ?? DRAIN_TIMEOUT_S;
  return await untilEmpty(place, server, timeoutS * 1000, terminal);
}

/** Ends with 0 when nobody is left there. */
async function untilEmpty(
  place: ControlPlace,
  server: string,
  timeoutMs: number,
  terminal: Terminal,
): Promise<number> {
  for (let waitedMs = 0; ; waitedMs += LOOK_INTERVAL_MS) {
    const found = (await statusOf(place)).servers.find(({ id }) => id === server);
    // one that is no longer among the servers is left by everybody
    const left = found?.sessions ?? 0;
    if (left === 0) {
      terminal.print(`${server} is empty\n`);
      return exitCodes.finished;
    }
    if (waitedMs >= timeoutMs) {
      terminal.complain(
        `${left} sessions are still at ${server}: they cannot be moved without their clients ` +
          'noticing. --force ends their connections, zabra balance undrain takes it all back',
      );
      return exitCodes.unexpected;
    }
    await sleep(LOOK_INTERVAL_MS);
  }
}

async function statusOf(place: ControlPlace): Promise<BalancerStatus> {
  const { status, body } = await askControl(place, 'GET', '/status');
  if (status !== 200) throw new Error(errorIn(body));
  // the endpoint is of this version: the file that led to it was written by its process
  return body as BalancerStatus;
}

function errorIn(body: unknown): string {
  const isNamed = typeof body === 'object' && body !== null && 'error' in body;
  return isNamed ? String(body.error) : 'the balancer refused it';
}
