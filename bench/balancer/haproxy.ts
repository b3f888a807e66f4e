/** HAProxy in TCP mode, from Debian: the balancer to be compared with, and what most people have. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { multiarch, unpackedPackages } from '../../test/support/debian.js';
import { freePort } from '../../test/support/machine.js';

const packages = [
  'haproxy',
  'liblua5.3-0',
  'libopentracing-c-wrapper0',
  'libopentracing1',
  'libpcre2-8-0',
];
const START_ATTEMPTS = 100;

export class Haproxy {
  readonly address: string;
  readonly pids: readonly number[];
  readonly #child: ChildProcess;

  /** Before these servers; one thread, as one balancer is one process. MissingError without apt. */
  static async start(servers: readonly string[], directory: string): Promise<Haproxy> {
    const root = await unpackedPackages('haproxy', packages);
    const port = await freePort();
    const lines = [
      'global',
      '  nbthread 1',
      'defaults',
      '  mode tcp',
      '  timeout connect 5s',
      '  timeout client 1h',
      '  timeout server 1h',
      '  option nolinger',
      'listen zookeeper',
      `  bind 127.0.0.1:${port}`,
      '  balance roundrobin',
      ...servers.map((server, i) => `  server s${i + 1} ${server}`),
    ];
    const file = join(directory, 'haproxy.cfg');
    writeFileSync(file, `${lines.join('\n')}\n`);
    const child = spawn(join(root, 'usr', 'sbin', 'haproxy'), ['-db', '-f', file], {
      env: { ...process.env, LD_LIBRARY_PATH: join(root, 'usr', 'lib', multiarch) },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    process.once('exit', () => child.kill('SIGKILL'));
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    const haproxy = new Haproxy(child, port);
    for (let left = START_ATTEMPTS; left > 0; left--) {
      if (await isListening(port)) return haproxy;
      if (child.exitCode !== null) break;
      await sleep(50);
    }
    await haproxy.stop();
    throw new Error(`haproxy does not start: ${complaint}`);
  }

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.address = `127.0.0.1:${port}`;
    this.pids = [child.pid ?? 0];
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
