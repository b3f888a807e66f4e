/**
 * Files of the data directories and their names, which are part of the format: a log is named after
 * its first transaction, a snapshot after the last one that is in it for certain.
 *
 * Names that are almost right (`log.5.fixed`, `snapshot.5.tmp`) are not ours to read. Apache's server
 * does read them, because it looks at the second part of the name only; so nothing that is not
 * finished may ever be given such a name, and a snapshot being written starts with a dot.
 */
import type { Disk } from '../ports/disk.js';
import { formatHex, parseHex, type Zxid } from '../protocol/zxid.js';

/** Inside dataDir and dataLogDir; the number is that of the format. */
export const versionDirectory = 'version-2';

export type SnapshotCompression = '' | 'gz' | 'snappy';

export interface LogName {
  readonly name: string;
  readonly path: string;
  /** Of its first transaction. */
  readonly zxid: Zxid;
}

export interface SnapshotName {
  readonly name: string;
  readonly path: string;
  readonly zxid: Zxid;
  readonly compression: SnapshotCompression;
}

export function join(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

export function directoryOf(path: string): string {
  const slash = path.replace(/\/+$/, '').lastIndexOf('/');
  return slash < 0 ? '.' : slash === 0 ? '/' : path.slice(0, slash);
}

export function baseNameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function logName(zxid: Zxid): string {
  return `log.${formatHex(zxid)}`;
}

export function snapshotName(zxid: Zxid, compression: SnapshotCompression): string {
  return `snapshot.${formatHex(zxid)}${compression === '' ? '' : `.${compression}`}`;
}

/** Under which a snapshot is written until it is whole and durable. */
export function unfinishedName(snapshot: string): string {
  return `.${snapshot}.tmp`;
}

export function parseLogName(name: string): Zxid | null {
  const match = /^log\.([0-9a-fA-F]{1,16})$/.exec(name);
  return match?.[1] === undefined ? null : nonNegative(parseHex(match[1]));
}

export function parseSnapshotName(
  name: string,
): { readonly zxid: Zxid; readonly compression: SnapshotCompression } | null {
  const match = /^snapshot\.([0-9a-fA-F]{1,16})(?:\.(gz|snappy))?$/.exec(name);
  if (match?.[1] === undefined) return null;
  const zxid = nonNegative(parseHex(match[1]));
  if (zxid === null) return null;
  return { zxid, compression: match[2] === 'gz' || match[2] === 'snappy' ? match[2] : '' };
}

/** Apache's servers cannot read back a name whose zxid is negative. */
function nonNegative(zxid: Zxid | null): Zxid | null {
  return zxid !== null && zxid >= 0n ? zxid : null;
}

/** What a crash leaves behind while a snapshot is being written; the second form is Apache's. */
export function isUnfinishedSnapshot(name: string): boolean {
  return /^\.?snapshot\.[0-9a-fA-F]{1,16}(?:\.(?:gz|snappy))?\.tmp$/.test(name);
}

/** As Apache decides what does not belong into the other directory. */
export function looksLikeLog(name: string): boolean {
  return name.startsWith('log.');
}

export function looksLikeSnapshot(name: string): boolean {
  return name.startsWith('snapshot.');
}

function byZxid(a: { readonly zxid: Zxid }, b: { readonly zxid: Zxid }): number {
  return a.zxid < b.zxid ? -1 : a.zxid > b.zxid ? 1 : 0;
}

/** Oldest first. */
export function listLogs(disk: Disk, directory: string): LogName[] {
  const logs: LogName[] = [];
  for (const { name, isDirectory } of disk.listNow(directory)) {
    const zxid = isDirectory ? null : parseLogName(name);
    if (zxid !== null) logs.push({ name, path: join(directory, name), zxid });
  }
  return logs.sort(byZxid);
}

/** Newest first. */
export function listSnapshots(disk: Disk, directory: string): SnapshotName[] {
  const snapshots: SnapshotName[] = [];
  for (const { name, isDirectory } of disk.listNow(directory)) {
    const parsed = isDirectory ? null : parseSnapshotName(name);
    if (parsed !== null) snapshots.push({ name, path: join(directory, name), ...parsed });
  }
  return snapshots.sort((a, b) => byZxid(b, a));
}

/**
 * The logs that may hold transactions after `zxid`: all that begin later, and the last one that
 * begins at or before the next transaction. Oldest first, as `logs` are.
 */
export function logsAfter(logs: readonly LogName[], zxid: Zxid): LogName[] {
  const first = logs.findLastIndex((log) => log.zxid <= zxid + 1n);
  return logs.slice(Math.max(first, 0));
}
