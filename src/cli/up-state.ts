/**
 * What a running `zabra up` tells other terminals: the file `up.json` in its folder, by which
 * `zabra up status` and `zabra up stop` find it. A file outlives its writer, so it is never believed
 * alone: who runs is asked of the system.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface UpServerState {
  readonly sid: number;
  readonly clientPort: number;
  readonly adminPort: number;
  /** Null: between two lives. */
  readonly pid: number | null;
  readonly restarts: number;
}

export interface UpBalancerState {
  readonly index: number;
  readonly clientPort: number;
  readonly pid: number | null;
  readonly restarts: number;
}

export interface UpState {
  readonly pid: number;
  readonly servers: readonly UpServerState[];
  /** Not there: of an `up` that had none. */
  readonly balancers?: readonly UpBalancerState[];
}

const name = 'up.json';

/** Whole or not at all, for those who read meanwhile. */
export function writeUpState(folder: string, state: UpState): void {
  const file = join(folder, name);
  writeFileSync(`${file}.tmp`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${file}.tmp`, file);
}

export function removeUpState(folder: string): void {
  rmSync(join(folder, name), { force: true });
}

/** Null: there is none, or nothing that we wrote. */
export function readUpState(folder: string): UpState | null {
  try {
    const state: unknown = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    return isUpState(state) ? state : null;
  } catch {
    return null;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // somebody else's lives, too
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function isUpState(value: unknown): value is UpState {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, servers, balancers = [] } = value as Partial<Record<keyof UpState, unknown>>;
  if (!isCount(pid) || !Array.isArray(servers) || !Array.isArray(balancers)) return false;
  return servers.every(isServerState) && balancers.every(isBalancerState);
}

function isBalancerState(value: unknown): value is UpBalancerState {
  if (typeof value !== 'object' || value === null) return false;
  const { index, clientPort, pid, restarts } = value as Partial<
    Record<keyof UpBalancerState, unknown>
  >;
  return [index, clientPort, restarts].every(isCount) && (pid === null || isCount(pid));
}

function isServerState(value: unknown): value is UpServerState {
  if (typeof value !== 'object' || value === null) return false;
  const { sid, clientPort, adminPort, pid, restarts } = value as Partial<
    Record<keyof UpServerState, unknown>
  >;
  return [sid, clientPort, adminPort, restarts].every(isCount) && (pid === null || isCount(pid));
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
