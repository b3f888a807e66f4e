/**
 * How a balancer on this machine is found by who may steer it: a file that only its owner can read, with
 * the address of its control endpoint and the token that the endpoint asks for. Whoever can read the file
 * may steer, and nobody else can.
 */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';

export interface ControlPlace {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly pid: number;
  /** Where its clients connect, so that people know which one it is. */
  readonly listen: readonly string[];
}

const OWNER_ONLY = 0o600;
const DIRECTORY_OWNER_ONLY = 0o700;

/** Of this user; what XDG has for it, or a folder that is nobody else's. Throws where it is not. */
export function controlDirectory(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const runtime = env['XDG_RUNTIME_DIR'];
  const { uid } = userInfo();
  const directory =
    runtime === undefined || runtime === ''
      ? join(tmpdir(), `zabra-${uid}`)
      : join(runtime, 'zabra');
  mkdirSync(directory, { recursive: true, mode: DIRECTORY_OWNER_ONLY });
  const stat = lstatSync(directory);
  const isOurs = stat.isDirectory() && (uid < 0 || stat.uid === uid);
  if (!isOurs || (uid >= 0 && (stat.mode & 0o077) !== 0)) {
    throw new Error(`${directory} is not this user's alone: --control-file names another place`);
  }
  return directory;
}

/** Whole or not at all, and never readable by others. */
export function writeControlFile(file: string, place: ControlPlace): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, `${JSON.stringify(place, null, 2)}\n`, { mode: OWNER_ONLY, flag: 'wx' });
  chmodSync(temporary, OWNER_ONLY);
  renameSync(temporary, file);
}

/** Takes the file away if it is still this process's. */
export function removeControlFile(file: string): void {
  if (readControlFile(file)?.pid === process.pid) rmSync(file, { force: true });
}

/** Null: there is none, or it is none of ours. */
export function readControlFile(file: string): ControlPlace | null {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
  return isControlPlace(value) ? value : null;
}

export interface FoundControl {
  readonly file: string;
  readonly place: ControlPlace;
}

/** Of the balancers of this user that run; files of those that were killed are passed over. */
export function findControlFiles(directory: string): FoundControl[] {
  const found: FoundControl[] = [];
  for (const name of controlFileNames(directory)) {
    const file = join(directory, name);
    const place = readControlFile(file);
    if (place !== null && isAlive(place.pid)) found.push({ file, place });
  }
  return found;
}

/** What balancers that were killed have left behind. */
export function removeDeadControlFiles(directory: string): void {
  for (const name of controlFileNames(directory)) {
    const file = join(directory, name);
    const place = readControlFile(file);
    if (place !== null && !isAlive(place.pid)) rmSync(file, { force: true });
  }
}

function controlFileNames(directory: string): string[] {
  const isOne = (name: string): boolean => name.startsWith('balance-') && name.endsWith('.json');
  return readdirSync(directory).filter(isOne).sort();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function isControlPlace(value: unknown): value is ControlPlace {
  if (typeof value !== 'object' || value === null) return false;
  const { host, port, token, pid, listen } = value as Partial<Record<keyof ControlPlace, unknown>>;
  return (
    typeof host === 'string' &&
    typeof token === 'string' &&
    Number.isSafeInteger(port) &&
    Number.isSafeInteger(pid) &&
    Array.isArray(listen) &&
    listen.every((one) => typeof one === 'string')
  );
}
