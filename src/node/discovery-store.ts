/**
 * The last good list of each service, in a file of its own: written beside it and renamed, so that a
 * crash leaves the old list or the new one. A process that starts while the registry is away begins with
 * what it knew.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServiceInstance } from '../discovery/instance.js';
import type { InstanceStore } from '../discovery/registry.js';

export class FileInstanceStore implements InstanceStore {
  readonly #directory: string;

  /** The directory is created when it is first written to. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async load(service: string): Promise<readonly ServiceInstance[] | null> {
    let text: string;
    try {
      text = await readFile(this.#fileOf(service), 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value) || !value.every(isInstance)) {
      throw new TypeError(`${this.#fileOf(service)} holds no list of instances`);
    }
    return value;
  }

  async save(service: string, instances: readonly ServiceInstance[]): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const file = this.#fileOf(service);
    const fresh = `${file}.${process.pid}.new`;
    await writeFile(fresh, `${JSON.stringify(instances, null, 2)}\n`);
    await rename(fresh, file);
  }

  #fileOf(service: string): string {
    return join(this.#directory, `${encodeURIComponent(service)}.json`);
  }
}

/** As far as it matters for sending requests; the file is this program's own. */
function isInstance(value: unknown): value is ServiceInstance {
  if (typeof value !== 'object' || value === null) return false;
  const one = value as Partial<Record<keyof ServiceInstance, unknown>>;
  return (
    typeof one.id === 'string' &&
    typeof one.host === 'string' &&
    typeof one.weight === 'number' &&
    typeof one.priority === 'number' &&
    (one.health === 'up' ||
      one.health === 'starting' ||
      one.health === 'draining' ||
      one.health === 'down')
  );
}
