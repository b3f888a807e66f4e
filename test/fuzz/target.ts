/** What is fuzzed: our server as a process, which can be killed and started again, or one in here. */
import { readFileSync } from 'node:fs';
import { TestServer } from 'zabra/testing';
import type { Address } from '../support/four-letter.js';
import type { ServerProcess } from '../support/server-process.js';
import { startZabra } from '../support/zabra-process.js';
import { digestOf } from './witness.js';

export const superCredential = 'super:word';

export interface Target extends Address {
  readonly isAlive: boolean;
  rssBytes(): number;
  /** Kills it without warning and starts it on the same data; null where that cannot be done. */
  crashAndRestart: (() => Promise<void>) | null;
  dispose(): Promise<void>;
}

const sessionTimeoutMs = { min: 1000, max: 6000 };

export async function inProcessTarget(): Promise<Target> {
  const server = await TestServer.start({
    settings: {
      tickTimeMs: 500,
      minSessionTimeoutMs: sessionTimeoutMs.min,
      maxSessionTimeoutMs: sessionTimeoutMs.max,
      superDigest: digestOf(superCredential),
      enforceQuota: true,
      containerCheckIntervalMs: 500,
    },
  });
  return {
    host: '127.0.0.1',
    port: server.port,
    isAlive: true,
    rssBytes: () => process.memoryUsage().rss,
    crashAndRestart: null,
    dispose: () => server.stop(),
  };
}

export async function processTarget(): Promise<Target> {
  const process = await startZabra({
    config: {
      tickTime: '500',
      minSessionTimeout: String(sessionTimeoutMs.min),
      maxSessionTimeout: String(sessionTimeoutMs.max),
      maxClientCnxns: '0',
      snapCount: '50000',
      autopurge: null,
    },
    properties: {
      'zookeeper.DigestAuthenticationProvider.superDigest': digestOf(superCredential),
      'zookeeper.extendedTypesEnabled': 'true',
      'zookeeper.enforceQuota': 'true',
      'znode.container.checkIntervalMs': '500',
    },
  });
  return new ProcessTarget(process);
}

class ProcessTarget implements Target {
  #process: ServerProcess;
  #isAlive = true;

  constructor(process: ServerProcess) {
    this.#process = process;
    this.#watch(process);
  }

  #watch(process: ServerProcess): void {
    void process.exited.then(() => {
      if (process === this.#process) this.#isAlive = false;
    });
  }

  get host(): string {
    return this.#process.host;
  }

  get port(): number {
    return this.#process.port;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** 0 where the system does not tell. */
  rssBytes(): number {
    try {
      const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    } catch {
      return 0;
    }
  }

  readonly crashAndRestart = async (): Promise<void> => {
    const killed = this.#process;
    await killed.kill('SIGKILL');
    this.#process = await killed.startAgain();
    this.#isAlive = true;
    this.#watch(this.#process);
  };

  async dispose(): Promise<void> {
    await this.#process.dispose();
  }
}
