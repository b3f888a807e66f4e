/** Copies of a server's files that are there, whole, when the machine stops right after. */
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
} from 'node:fs';
import { join } from 'node:path';

/** Those files that belong to the history, into a folder that is made; not its name in its parent. */
export function copyHistory(
  source: string,
  target: string,
  isWanted: (name: string) => boolean = () => true,
): void {
  mkdirSync(target, { recursive: true });
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const { name } = entry;
    if (!entry.isFile() || name === '.lock' || name.endsWith('.tmp') || !isWanted(name)) continue;
    const copy = join(target, name);
    copyFileSync(join(source, name), copy, constants.COPYFILE_FICLONE);
    flushPath(copy);
  }
  flushPath(target);
}

/** A file's bytes, or the names in a folder. */
export function flushPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
