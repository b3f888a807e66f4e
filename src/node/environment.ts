/**
 * What this process runs on, under the names that Apache's `envi` has, in its order. Tools read some
 * of them (the version above all); those of a JVM have no value here.
 */
import { freemem, homedir, hostname, release, tmpdir, totalmem, type, userInfo } from 'node:os';
import { fullVersion } from '../server/version.js';

const none = '<NA>';

export function environment(): readonly (readonly [name: string, value: string])[] {
  return [
    ['zookeeper.version', fullVersion],
    ['host.name', hostname()],
    ['java.version', none],
    ['java.vendor', none],
    ['java.home', none],
    ['java.class.path', none],
    ['java.library.path', none],
    ['java.io.tmpdir', tmpdir()],
    ['java.compiler', none],
    ['os.name', type()],
    ['os.arch', process.arch === 'x64' ? 'amd64' : process.arch],
    ['os.version', release()],
    ['user.name', userName()],
    ['user.home', homedir()],
    ['user.dir', process.cwd()],
    ['os.memory.free', megabytes(freemem())],
    ['os.memory.max', megabytes(totalmem())],
    ['os.memory.total', megabytes(process.memoryUsage.rss())],
  ];
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // a user id without an entry in passwd, as containers have it
    return none;
  }
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / (1024 * 1024))}MB`;
}
