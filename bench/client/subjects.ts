/**
 * The clients under comparison, each used as its documents show, behind one shape: an operation that
 * tells when it is done. What the shape costs (a closure, a `then`) is paid by all of them alike.
 */
import { createRequire } from 'node:module';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { Client } from 'zabra/client';
import { benchDirectory } from '../programs.js';

/** Where the clients of npm are installed for the comparison. */
export const incumbentsDirectory = join(benchDirectory, 'clients');
export const incumbents = { 'node-zookeeper-client': '1.1.3', zookeeper: '7.3.0' } as const;

export const subjectNames = ['zabra', 'node-zookeeper-client', 'zookeeper', 'echo'] as const;
export type SubjectName = (typeof subjectNames)[number];
export const opNames = ['getData', 'setData'] as const;
export type OpName = (typeof opNames)[number];

export const path = '/client-bench';
export const data = Buffer.alloc(100, 'x');

export type Done = (error: Error | null) => void;

export interface Subject {
  readonly ops: Readonly<Record<OpName, (done: Done) => void>>;
  close(): Promise<void> | void;
}

/** Bytes on the wire of a request and of its reply, as the echo loop sends and awaits them. */
export const echoBytes: Readonly<Record<OpName, { request: number; reply: number }>> = {
  getData: { request: 4 + 8 + 4 + path.length + 1, reply: 4 + 16 + 4 + data.length + 68 },
  setData: { request: 4 + 8 + 4 + path.length + 4 + data.length + 4, reply: 4 + 16 + 68 },
};

async function openZabra(address: string): Promise<Subject> {
  const zk = await new Client(address, { sessionTimeoutMs: 30_000 }).connect();
  return {
    ops: {
      getData: (done) => void zk.getData(path).then(() => done(null), done),
      setData: (done) => void zk.setData(path, data).then(() => done(null), done),
    },
    close: () => zk.close(),
  };
}

interface CallbackClient {
  once(event: 'connected', listener: () => void): void;
  connect(): void;
  close(): void;
  getData(path: string, done: (error: Error | null) => void): void;
  setData(path: string, data: Buffer, version: number, done: (error: Error | null) => void): void;
}

async function openNodeZookeeperClient(address: string): Promise<Subject> {
  const library = required('node-zookeeper-client') as {
    createClient(address: string, options: { sessionTimeout: number }): CallbackClient;
  };
  const zk = library.createClient(address, { sessionTimeout: 30_000 });
  await new Promise<void>((resolve) => {
    zk.once('connected', resolve);
    zk.connect();
  });
  return {
    ops: {
      getData: (done) => zk.getData(path, (error) => done(error)),
      setData: (done) => zk.setData(path, data, -1, (error) => done(error)),
    },
    close: () => zk.close(),
  };
}

interface NativeClient {
  once(event: 'connect', listener: () => void): void;
  init(options: object): void;
  close(): void;
  get(path: string, watch: boolean): Promise<unknown>;
  set(path: string, data: Buffer, version: number): Promise<unknown>;
}

async function openZookeeper(address: string): Promise<Subject> {
  const library = required('zookeeper') as { Promise: new () => NativeClient };
  const zk = new library.Promise();
  await new Promise<void>((resolve) => {
    zk.once('connect', resolve);
    zk.init({ connect: address, timeout: 30_000, debug_level: 1, host_order_deterministic: false });
  });
  return {
    ops: {
      getData: (done) => void zk.get(path, false).then(() => done(null), done),
      setData: (done) => void zk.set(path, data, -1).then(() => done(null), done),
    },
    close: () => zk.close(),
  };
}

/**
 * No client at all: as many bytes there and back, all requests of a turn in one write. What any
 * client in JavaScript pays for the socket, and nothing else.
 */
async function openEcho(address: string, op: OpName): Promise<Subject> {
  const { request, reply } = echoBytes[op];
  const { hostname, port } = new URL(`tcp://${address}`);
  const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const waiting: Done[] = [];
  let first = 0;
  let received = 0;
  let asked = 0;
  const buffer = Buffer.alloc(1024 * request);
  const flush = (): void => {
    socket.write(Buffer.from(buffer.subarray(0, asked * request)));
    asked = 0;
  };
  socket.on('data', (chunk) => {
    received += chunk.length;
    for (; received >= reply; received -= reply) waiting[first++]?.(null);
    if (first > 4096) {
      waiting.splice(0, first);
      first = 0;
    }
  });
  const ask = (done: Done): void => {
    waiting.push(done);
    if (asked++ === 0) process.nextTick(flush);
  };
  return { ops: { getData: ask, setData: ask }, close: () => void socket.destroy() };
}

export async function openSubject(
  name: SubjectName,
  address: string,
  op: OpName,
): Promise<Subject> {
  switch (name) {
    case 'zabra':
      return await openZabra(address);
    case 'node-zookeeper-client':
      return await openNodeZookeeperClient(address);
    case 'zookeeper':
      return await openZookeeper(address);
    case 'echo':
      return await openEcho(address, op);
  }
}

function required(name: keyof typeof incumbents): unknown {
  return createRequire(join(incumbentsDirectory, 'index.js'))(name);
}
