/**
 * The configurations of a member without a zoo.cfg, in its data directory: `members` is the one in
 * force, `members.next` the one proposed last. Each is written whole and renamed.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigStore } from '../server/ensemble/membership.js';
import { writeDurably } from './config-store.js';

export class MembersStore implements ConfigStore {
  readonly #inForce: string;
  readonly #next: string;

  constructor(dataDir: string) {
    this.#inForce = join(dataDir, 'members');
    this.#next = join(dataDir, 'members.next');
  }

  async load(): Promise<{ inForce: string | null; next: string | null }> {
    return { inForce: await readIfThere(this.#inForce), next: await readIfThere(this.#next) };
  }

  async saveNext(text: string | null): Promise<void> {
    if (text === null) await rm(this.#next, { force: true });
    else await writeDurably(this.#next, text);
  }

  async commit(text: string): Promise<void> {
    await writeDurably(this.#inForce, text);
    await this.saveNext(null);
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
