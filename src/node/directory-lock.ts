/**
 * One process per data directory. Node has no flock, and a file with a process id in it outlives its
 * process, lies after a reboot and in containers (where everybody is process 1), and cannot be taken
 * over without a race. So the lock is something the kernel gives back by itself, in the same moment
 * in which the process dies, however it dies:
 *
 * - Linux: a listening socket in the abstract namespace, named after the directory's device and inode.
 *   Binding is atomic, leaves nothing on the disk and works for read-only directories. Two containers
 *   with separate *network* namespaces do not see each other's.
 * - Windows: a named pipe of the same name, with the same properties.
 * - macOS and the BSDs: the file `.lock`, opened with O_EXLOCK, which is flock(2).
 *
 * In all cases `.lock` tells the process id of the holder, for the one line that the second process
 * prints; nothing is decided by it.
 */
import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

export type DirectoryLock = { release(): void } | { readonly heldByPid: number | null };

/** <fcntl.h> of macOS and the BSDs; Node hands unknown flags on as they are. */
const openExclusiveLock = 0x20;
const openReadWrite = 0x2;
const openNonBlocking = 0x4;
const openCreate = 0x200;

const lockFile = '.lock';

/**
 * A directory that was removed while its holder lives leaves its number to the next one: that looks
 * taken though nobody has it. Where no living process is named as the holder, it is waited for a
 * moment, which is all that a process on its way out needs.
 */
const PATIENCE_MS = 500;
const PAUSE_MS = 20;

export function lockDirectoryNow(directory: string): DirectoryLock {
  switch (process.platform) {
    case 'darwin':
    case 'freebsd':
    case 'openbsd':
      return lockByFile(directory);
    default:
      return lockByName(directory);
  }
}

function lockByName(directory: string): DirectoryLock {
  const { dev, ino } = statSync(directory, { bigint: true });
  const name = `zabra/${process.getuid?.() ?? 0}/${dev}/${ino}`;
  let server = listenAt(name);
  for (let waitedMs = 0; server === null; waitedMs += PAUSE_MS) {
    const heldByPid = readHolder(directory);
    const isHeld = heldByPid !== null && isAlive(heldByPid);
    if (isHeld || waitedMs >= PATIENCE_MS) return { heldByPid };
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    server = listenAt(name);
  }
  const held = server;
  tellHolder(() => {
    writeFileSync(join(directory, lockFile), `${process.pid}\n`);
  });
  return {
    release() {
      held.close();
    },
  };
}

/** Null: the name is taken. */
function listenAt(name: string): Server | null {
  const server = createServer((socket) => {
    socket.destroy();
  });
  // That the name is taken is known at once, by `listening`; the event says the same a turn later.
  server.on('error', () => undefined);
  server.listen({
    path: process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : `\0${name}`,
    exclusive: true,
  });
  if (!server.listening) return null;
  server.unref();
  return server;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // it is there, and is somebody else's
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function lockByFile(directory: string): DirectoryLock {
  const flags = openReadWrite | openCreate | openNonBlocking | openExclusiveLock;
  let fd: number;
  try {
    fd = openSync(join(directory, lockFile), flags, 0o644);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    if (error.code !== 'EAGAIN' && error.code !== 'EWOULDBLOCK') throw error;
    return { heldByPid: readHolder(directory) };
  }
  tellHolder(() => {
    writeSync(fd, `${process.pid}\n`, 0);
  });
  return {
    release() {
      closeSync(fd);
    },
  };
}

/** The process id is a courtesy: on a full or read-only disk the lock holds without it. */
function tellHolder(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

function readHolder(directory: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(join(directory, lockFile), 'latin1'), 10);
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null; // not readable: then without a number
  }
}
