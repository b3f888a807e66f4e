/**
 * An ensemble's configurations in the files that Apache's servers keep them in, beside zoo.cfg, so that
 * either kind of server starts on what the other has left:
 *
 *   zoo.cfg.dynamic.next        the one proposed last, while it is not in force
 *   zoo.cfg.dynamic.100000000   the one in force, by its version; zoo.cfg names it
 *   zoo.cfg.bak                 zoo.cfg as its author wrote it, with the members in it
 *
 * Each file is written whole, beside itself, and renamed when it is on the disk.
 */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { ConfigStore } from '../server/ensemble/membership.js';
import { dynamicFileText, staticFileText } from '../server/config/dynamic-files.js';

/** Properties files are ISO-8859-1, whatever the platform's encoding is. */
const ENCODING = 'latin1';

export class FileConfigStore implements ConfigStore {
  readonly #file: string;
  readonly #hasDynamicFile: boolean;

  /** `file`: zoo.cfg. `hasDynamicFile`: the members stand in a file of their own already. */
  constructor(file: string, hasDynamicFile: boolean) {
    this.#file = resolve(file);
    this.#hasDynamicFile = hasDynamicFile;
  }

  async load(): Promise<{ inForce: null; next: string | null }> {
    // the one in force was read with zoo.cfg
    if (!this.#hasDynamicFile) {
      await writeDurably(`${this.#file}.bak`, await readFile(this.#file));
      return { inForce: null, next: null };
    }
    return { inForce: null, next: await readIfThere(this.#next) };
  }

  async saveNext(text: string | null): Promise<void> {
    if (text === null) await rm(this.#next, { force: true });
    else await writeDurably(this.#next, dynamicFileText(text, true));
  }

  async commit(text: string, version: bigint, hasClientAddress: boolean): Promise<void> {
    const dynamicFile = `${this.#file}.dynamic.${version.toString(16)}`;
    await writeDurably(dynamicFile, dynamicFileText(text, false));
    const before = await readFile(this.#file, ENCODING);
    const after = staticFileText(before, dynamicFile, hasClientAddress);
    await writeDurably(this.#file, Buffer.from(after, ENCODING));
    await rm(this.#next, { force: true });
  }

  get #next(): string {
    return `${this.#file}.dynamic.next`;
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, ENCODING);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Whole or not at all: beside itself, and renamed when it is on the disk. */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const beside = `${path}.tmp`;
  const file = await open(beside, 'w');
  try {
    await file.writeFile(content, typeof content === 'string' ? ENCODING : undefined);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
