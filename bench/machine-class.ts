/** What kind of machine this is, in words that fit any machine of its kind. */
import { readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem, type } from 'node:os';
import { run } from '../test/support/machine.js';
import { filesystemOf } from './figures.js';

export interface MachineClass {
  readonly computer: string;
  readonly filesystem: string;
  readonly node: string;
  readonly java: string;
}

/** `OpenJDK 17.0.15` out of what `java -version` says. */
export function javaName(said: string): string {
  const match = /^(\S+) version "([^"]+)"/m.exec(said);
  if (match?.[1] === undefined || match[2] === undefined) return 'unknown';
  return `${match[1] === 'openjdk' ? 'OpenJDK' : 'Java'} ${match[2]}`;
}

export async function machineClass(dataDirectory: string, hasJava: boolean): Promise<MachineClass> {
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  const kernel = `${type()} ${release().split('.').slice(0, 2).join('.')}`;
  return {
    computer: `${cpus().length} cores (${arch()}), ${memoryGb} GB of memory, ${kernel}`,
    filesystem: filesystemOf(dataDirectory, readFileSync('/proc/mounts', 'utf8')),
    node: process.version,
    java: hasJava ? javaName((await run('java', ['-version'])).stderr) : 'none',
  };
}
