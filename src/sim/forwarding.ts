/**
 * Ports that pass everything on: what a saboteur overrides a method of (mutants.ts), and nothing else
 * changes.
 */
import type { DirectoryEntry, Disk, DiskError, DiskFile, OpenMode } from '../ports/disk.js';
import type { Listener, ListenOptions, Network, Socket, SocketHandler } from '../ports/network.js';

export class ForwardingDisk implements Disk {
  protected readonly inner: Disk;

  constructor(inner: Disk) {
    this.inner = inner;
  }

  openNow(path: string, mode: OpenMode): DiskFile {
    return this.inner.openNow(path, mode);
  }

  existsNow(path: string): boolean {
    return this.inner.existsNow(path);
  }

  sizeNow(path: string): number {
    return this.inner.sizeNow(path);
  }

  listNow(directory: string): DirectoryEntry[] {
    return this.inner.listNow(directory);
  }

  makeDirectoryNow(path: string): void {
    this.inner.makeDirectoryNow(path);
  }

  renameNow(from: string, to: string): void {
    this.inner.renameNow(from, to);
  }

  rename(from: string, to: string): Promise<void> {
    return this.inner.rename(from, to);
  }

  unlinkNow(path: string): void {
    this.inner.unlinkNow(path);
  }

  unlink(path: string): Promise<void> {
    return this.inner.unlink(path);
  }

  syncDirectoryNow(path: string): void {
    this.inner.syncDirectoryNow(path);
  }

  syncDirectory(path: string): Promise<void> {
    return this.inner.syncDirectory(path);
  }

  freeBytesNow(path: string): number {
    return this.inner.freeBytesNow(path);
  }

  lockDirectoryNow(path: string): ReturnType<Disk['lockDirectoryNow']> {
    return this.inner.lockDirectoryNow(path);
  }
}

export class ForwardingFile implements DiskFile {
  readonly path: string;
  protected readonly inner: DiskFile;

  constructor(inner: DiskFile) {
    this.inner = inner;
    this.path = inner.path;
  }

  sizeNow(): number {
    return this.inner.sizeNow();
  }

  readNow(into: Uint8Array, start: number, end: number, position: number): number {
    return this.inner.readNow(into, start, end, position);
  }

  read(into: Uint8Array, start: number, end: number, position: number): Promise<number> {
    return this.inner.read(into, start, end, position);
  }

  writeNow(bytes: Uint8Array, start: number, end: number, position: number): void {
    this.inner.writeNow(bytes, start, end, position);
  }

  write(bytes: Uint8Array, start: number, end: number, position: number): Promise<void> {
    return this.inner.write(bytes, start, end, position);
  }

  flush(done: (error: DiskError | null) => void): void {
    this.inner.flush(done);
  }

  sync(): Promise<void> {
    return this.inner.sync();
  }

  syncNow(): void {
    this.inner.syncNow();
  }

  truncateNow(size: number): void {
    this.inner.truncateNow(size);
  }

  closeNow(): void {
    this.inner.closeNow();
  }
}

export class ForwardingSocket implements Socket {
  protected readonly inner: Socket;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;

  constructor(inner: Socket) {
    this.inner = inner;
    this.remoteAddress = inner.remoteAddress;
    this.remotePort = inner.remotePort;
    this.localAddress = inner.localAddress;
    this.localPort = inner.localPort;
  }

  get pendingBytes(): number {
    return this.inner.pendingBytes;
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    return this.inner.write(bytes, start, end);
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }

  end(): void {
    this.inner.end();
  }

  destroy(): void {
    this.inner.destroy();
  }
}

/** A network whose accepted connections are wrapped: the socket, and whoever listens to it. */
export function wrapAccepted(
  network: Network,
  wrapSocket: (socket: Socket) => Socket,
  wrapHandler: (handler: SocketHandler) => SocketHandler = (handler) => handler,
): Network {
  return {
    listen: (options: ListenOptions, accept): Promise<Listener> =>
      network.listen(options, (socket) => wrapHandler(accept(wrapSocket(socket)))),
    connect: (options, accept) => network.connect(options, accept),
  };
}
