/**
 * Three voters and an observer of one kind, ours or Apache's, with everything open that monitors ask:
 * all four-letter words and the AdminServer. Server 3 leads, server 4 observes. Both kinds are given
 * the same configuration and the same load, so what they show differs only where they differ.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kind } from '../../cluster/members.js';
import { fourLetterWord } from '../../support/four-letter.js';
import { steadyPort } from '../../support/golden-peer/steady-port.js';
import { temporaryDirectory } from '../../support/machine.js';
import { startOracle } from '../../support/oracle.js';
import { flags } from '../../support/requests.js';
import type { ServerOptions, ServerProcess } from '../../support/server-process.js';
import { TestClient } from '../../support/test-client.js';
import { startZabra } from '../../support/zabra-process.js';

export type Role = 'leader' | 'follower' | 'observer';

export const sidOf: Readonly<Record<Role, number>> = { leader: 3, follower: 1, observer: 4 };
const sids = [1, 2, 3, 4];

/** Through each server: more than a thousand in all, because acknowledgements are timed by thousands. */
const WRITES = 270;

export interface MonitoredOptions {
  /** Given to every server as -D. */
  readonly properties?: Readonly<Record<string, string>>;
  /** The observer learns from the follower instead of the leader. */
  readonly hasMaster?: boolean;
}

export class MonitoredEnsemble {
  readonly kind: Kind;
  readonly #options: MonitoredOptions;
  readonly #home = temporaryDirectory('monitor');
  readonly #servers = new Map<number, ServerProcess>();
  readonly #clients: TestClient[] = [];

  static async start(kind: Kind, options: MonitoredOptions = {}): Promise<MonitoredEnsemble> {
    const ensemble = new MonitoredEnsemble(kind, options);
    try {
      await ensemble.#startAll();
    } catch (error) {
      await ensemble.dispose();
      throw error;
    }
    return ensemble;
  }

  private constructor(kind: Kind, options: MonitoredOptions) {
    this.kind = kind;
    this.#options = options;
  }

  server(sid: number): ServerProcess {
    const server = this.#servers.get(sid);
    if (server === undefined) throw new Error(`no server ${sid}`);
    return server;
  }

  async word(sid: number, word: string): Promise<string> {
    return await fourLetterWord(this.server(sid), word);
  }

  async admin(sid: number, command: string): Promise<{ status: number; text: string }> {
    const { adminPort } = this.server(sid);
    const response = await fetch(`http://127.0.0.1:${adminPort}/commands/${command}`);
    return { status: response.status, text: await response.text() };
  }

  /** A session on each server with an ephemeral and watches, and writes through each of them. */
  async keepBusy(): Promise<void> {
    for (const sid of sids) {
      const client = await TestClient.connect(this.server(sid), { timeoutMs: 30_000 });
      this.#clients.push(client);
      await client.create(`/live-${sid}`, { flags: flags.ephemeral });
      await client.getData(`/live-${sid}`, true);
      for (let count = 0; count < WRITES; count++) {
        await client.setData(`/live-${sid}`, String(count), -1);
        if (count === 0) await client.getData(`/live-${sid}`, true);
      }
      await client.getData(`/live-${sid}`, true);
      await client.sync('/');
    }
    await Promise.all(this.#clients.map((client) => client.sync('/')));
  }

  /** Ends servers for good; the others may lose their quorum by it. */
  async end(...gone: readonly number[]): Promise<void> {
    await Promise.all(gone.map((sid) => this.server(sid).kill('SIGKILL')));
  }

  async untilSrvrShows(sid: number, what: string): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      if ((await this.word(sid, 'srvr')).includes(what)) return;
      await sleep(20);
    }
    throw new Error(`srvr of server ${sid} does not show: ${what}`);
  }

  async dispose(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await Promise.all([...this.#servers.values()].map((server) => server.kill('SIGKILL')));
    await Promise.all([...this.#servers.values()].map((server) => server.dispose()));
    rmSync(this.#home, { recursive: true, force: true });
  }

  async #startAll(): Promise<void> {
    const config: Record<string, string> = {
      tickTime: '500',
      initLimit: '20',
      syncLimit: '6',
      'admin.enableServer': 'true',
    };
    for (const sid of sids) {
      const kind = sid === sidOf.observer ? ':observer' : '';
      config[`server.${sid}`] = `127.0.0.1:${await steadyPort()}:${await steadyPort()}${kind}`;
    }
    // the first two elect the higher number; who comes later follows it
    await Promise.all([2, 3].map((sid) => this.#start(sid, config)));
    if (this.#options.hasMaster !== true) {
      await Promise.all([1, 4].map((sid) => this.#start(sid, config)));
      return;
    }
    // one machine has room for one such follower
    const observerMasterPort = String(await steadyPort());
    for (const sid of [1, 4]) await this.#start(sid, { ...config, observerMasterPort });
  }

  async #start(sid: number, config: Readonly<Record<string, string>>): Promise<void> {
    const dataDir = join(this.#home, String(sid));
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, 'myid'), `${sid}\n`);
    // it is new, and may vote before all others are there
    writeFileSync(join(dataDir, 'initialize'), '');
    const options: ServerOptions = { dataDir, config, properties: this.#options.properties ?? {} };
    const server =
      this.kind === 'zabra' ? await startZabra(options) : await startOracle('3.9.5', options);
    this.#servers.set(sid, server);
  }
}
