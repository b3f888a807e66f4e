/** A Kafka broker in ZooKeeper mode beside the server, and the program that puts it to use. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, temporaryDirectory } from '../../support/machine.js';
import { classPath, javaProgramName } from '../../support/maven.js';
import type { ServerProcess } from '../../support/server-process.js';
import { TestClient } from '../../support/test-client.js';
import { hostsOf, type Interop } from '../program.js';

class Broker {
  readonly port: number;
  readonly #directory = temporaryDirectory('kafka');
  readonly #child;

  constructor(lib: string, port: number, server: ServerProcess) {
    this.port = port;
    const file = join(this.#directory, 'server.properties');
    const lines = [
      'broker.id=0',
      `listeners=PLAINTEXT://127.0.0.1:${port}`,
      `log.dirs=${join(this.#directory, 'logs')}`,
      `zookeeper.connect=${hostsOf(server)}/kafka`,
      'zookeeper.session.timeout.ms=10000',
      'offsets.topic.replication.factor=1',
      'offsets.topic.num.partitions=4',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'group.initial.rebalance.delay.ms=0',
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    const output = openSync(join(this.#directory, 'output.log'), 'a');
    const flags = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
    this.#child = spawn(
      javaProgramName,
      [
        ...flags,
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
        '-cp',
        classPath(lib),
        'kafka.Kafka',
        file,
      ],
      { stdio: ['ignore', output, output], cwd: this.#directory },
    );
    closeSync(output);
  }

  log(): string {
    return readFileSync(join(this.#directory, 'output.log'), 'utf8');
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async stop(): Promise<void> {
    if (!this.hasEnded) {
      this.#child.kill('SIGTERM');
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 20_000);
      await new Promise((resolve) => this.#child.once('exit', resolve));
      clearTimeout(timer);
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The session under which the broker has registered itself; null when it does not in time. */
async function sessionOf(server: ServerProcess, broker: Broker): Promise<bigint | null> {
  for (let left = 240; left > 0 && !broker.hasEnded; left -= 1) {
    try {
      const client = await TestClient.connect(server);
      const reply = await client.exists('/kafka/brokers/ids/0');
      await client.close();
      if (reply.err === 0) return reply.value?.ephemeralOwner ?? null;
    } catch {
      // the server is being started again; look once more
    }
    await sleep(250);
  }
  return null;
}

type RunProgram = (
  server: ServerProcess,
  args: readonly string[],
  afterwards: () => Promise<void>,
) => Promise<void>;

export async function runKafka(interop: Interop, lib: string, run: RunProgram): Promise<void> {
  const server = await interop.start({ config: { tickTime: '1000' } });
  const broker = new Broker(lib, await freePort(), server);
  try {
    const session = await sessionOf(server, broker);
    if (session === null) {
      interop.failed('the broker starts', broker.log().split('\n').slice(-20).join('\n'));
      return;
    }
    interop.passed('the broker starts');
    await run(server, [`127.0.0.1:${broker.port}`], async () => {
      const now = await sessionOf(server, broker);
      if (now === session) interop.passed('the broker keeps its session');
      else interop.failed('the broker keeps its session', `${session} became ${now ?? 'none'}`);
    });
    if (broker.hasEnded) interop.failed('the broker lives on', 'it ended');
    else interop.passed('the broker lives on');
  } finally {
    await broker.stop();
  }
}
