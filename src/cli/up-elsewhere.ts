/**
 * `zabra up status` and `zabra up stop`: what another terminal may ask of a running `zabra up`. It is
 * known by its folder.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockDirectoryNow } from '../node/directory-lock.js';
import { exitCodes } from './terminal.js';
import type { Terminal } from './terminal.js';
import { connectStringOf } from './up-ensemble.js';
import { host } from './up-ports.js';
import { tableOf, type UpRow } from './up-screen.js';
import { lookAt, lookAtBalancer } from './up-sight.js';
import {
  isAlive,
  readUpState,
  type UpBalancerState,
  type UpServerState,
  type UpState,
} from './up-state.js';
import { leaderAmong } from './up-story.js';

/** Longer than `up` gives its servers. */
const stopTimeoutMs = 15_000;
const stopLookIntervalMs = 20;

/** Ends with 0 when every server serves and, of several, one leads. */
export async function tellUpStatus(path: string, terminal: Terminal): Promise<number> {
  const folder = resolve(path);
  const state = readUpState(folder);
  if (state === null || !isAlive(state.pid)) return nobody(folder, terminal);
  const { servers, balancers = [] } = state;
  const rows = await Promise.all(servers.map(rowOf));
  const before = await Promise.all(balancers.map(balancerRowOf));
  const isSilent = rows.every(({ sight }) => sight.kind === 'silent');
  // the file of one that was killed, and its number is another process's by now
  if (isSilent && holderOf(folder) === 'nobody') return nobody(folder, terminal);
  const ports = (balancers.length > 0 ? balancers : servers).map(({ clientPort }) => clientPort);
  const admins = state.servers.map(({ adminPort }) => adminPort).join(', ');
  terminal.print(
    `connect to ${connectStringOf(ports)}\n` +
      `AdminServer: http://${host}:PORT/commands, ports ${admins}\n\n` +
      `${tableOf([...rows, ...before]).join('\n')}\n`,
  );
  const isWhole = [...rows, ...before].every(({ sight }) => sight.kind === 'serving');
  const leads = leaderAmong(new Map(rows.map(({ sight }, index) => [index, sight]))) !== null;
  return isWhole && (leads || rows.length === 1) ? exitCodes.finished : exitCodes.unexpected;
}

/** Returns when all its servers have stopped. */
export async function stopUp(path: string, terminal: Terminal): Promise<number> {
  const folder = resolve(path);
  const holder = existsSync(folder) ? holderOf(folder) : 'nobody';
  if (holder === 'nobody') return nobody(folder, terminal);
  const state: UpState | null = readUpState(folder);
  if (state === null || state.pid !== holder) {
    const who = holder === null ? 'a process' : `process ${holder}`;
    terminal.complain(`${who} is using ${folder}, and has not told that it is a zabra up`);
    return exitCodes.unexpected;
  }
  process.kill(state.pid, 'SIGTERM');
  for (let waitedMs = 0; waitedMs < stopTimeoutMs; waitedMs += stopLookIntervalMs) {
    if (holderOf(folder) === 'nobody') {
      terminal.print('stopped\n');
      return exitCodes.finished;
    }
    await sleep(stopLookIntervalMs);
  }
  terminal.complain(`process ${state.pid} has not stopped within ${stopTimeoutMs / 1000} s`);
  return exitCodes.unexpected;
}

function nobody(folder: string, terminal: Terminal): number {
  terminal.complain(`no zabra up runs in ${folder}: zabra up starts one, --data names its folder`);
  return exitCodes.unexpected;
}

/** The process that has the folder; null: one without a known number. */
function holderOf(folder: string): number | null | 'nobody' {
  const lock = lockDirectoryNow(folder);
  if (!('release' in lock)) return lock.heldByPid;
  lock.release();
  return 'nobody';
}

async function rowOf({ sid, clientPort, pid, restarts }: UpServerState): Promise<UpRow> {
  const sight = await lookAt(host, clientPort);
  return { name: String(sid), clientPort, pid, isStarting: false, restarts, sight };
}

async function balancerRowOf(balancer: UpBalancerState): Promise<UpRow> {
  const { index, clientPort, pid, restarts } = balancer;
  const sight = await lookAtBalancer(host, clientPort);
  return { name: `b${index}`, clientPort, pid, isStarting: false, restarts, sight };
}
