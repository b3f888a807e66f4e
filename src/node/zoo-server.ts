/**
 * `zabra/server`: the server as an object, for programs that want one inside. What concerns only an
 * ensemble (joining, leaving, handing leadership over) is refused by a standalone server with a
 * sentence that says so.
 */
import { EventEmitter } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { silentLogger, type Logger } from '../ports/logger.js';
import {
  configOf,
  formatProblem,
  parseConfig,
  type ServerConfig,
} from '../server/config/config.js';
import {
  settingNames,
  settings,
  type SettingName,
  type SettingValues,
} from '../server/config/settings.js';
import { writeSetting } from '../server/config/config.js';
import { LocalSession, type LocalRequest, type Reply } from '../server/local-session.js';
import { runServer, type RunningServer } from './run-server.js';

export interface ZooServerOptions extends Partial<SettingValues> {
  /** This server's number (myid); 1 unless given. */
  readonly id?: number;
  readonly name?: string;
  /** Where to listen; the loopback interface unless given. */
  readonly host?: string;
  /** 0 (the default): any free one. */
  readonly clientPort?: number;
  readonly dataDir?: string;
  readonly logger?: Logger;
}

export interface ReplicaInfo {
  readonly id: number;
  readonly address: string;
  readonly role: 'standalone';
  readonly zxid: bigint;
  /** Transactions behind the leader. */
  readonly lag: number;
  /** Milliseconds since it was last heard; 0: itself. */
  readonly lastHeardMs: number;
}

export interface ServerStatus {
  readonly id: number;
  readonly name: string;
  readonly address: string;
  readonly state: 'stopped' | 'starting' | 'standalone';
  readonly leader: number | null;
  readonly votedFor: number | null;
  readonly lastHeartbeatMs: number | null;
  readonly electionDeadlineMs: number | null;
  readonly epoch: number;
  readonly zxid: bigint;
}

interface ServerEvents {
  state: [state: ServerStatus['state']];
  leader: [id: number | null];
  session: [event: { readonly id: bigint; readonly kind: 'created' | 'closed' }];
  config: [config: ServerConfig];
}

/** Settings that a running server takes over; the others need a restart. */
const HOT_SETTINGS: ReadonlySet<SettingName> = new Set<SettingName>([
  'maxClientCnxns',
  'maxCnxns',
  'minSessionTimeoutMs',
  'maxSessionTimeoutMs',
  'globalOutstandingLimit',
  'fourLetterWhitelist',
]);

const LOCAL_SESSION_TIMEOUT_MS = 30_000;

export class ZooServer extends EventEmitter<ServerEvents> {
  readonly #name: string;
  readonly #logger: Logger;
  #config: ServerConfig;
  #running: RunningServer | null = null;
  #starting: Promise<void> | null = null;
  #session: Promise<LocalSession> | null = null;

  constructor(config: ZooServerOptions | ServerConfig) {
    super();
    if ('ensemble' in config) {
      this.#config = config;
      this.#name = '';
      this.#logger = silentLogger;
      return;
    }
    const { id, name, host, logger, ...given } = config;
    const base = configOf({
      clientPort: 0,
      clientPortAddress: host ?? '127.0.0.1',
      adminServerEnabled: false,
      ...given,
      dataDir: resolve(given.dataDir ?? './zabra-data/1'),
    });
    this.#config = { ...base, myid: id ?? 1 };
    this.#name = name ?? '';
    this.#logger = logger ?? silentLogger;
  }

  /** Rejects with a StartError, one clear line, when the server cannot start. */
  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /** What is acknowledged is durable; connections close, sessions live on until they expire. */
  async stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    const running = this.#running;
    this.#running = null;
    this.#starting = null;
    this.#session = null;
    if (running === null) return;
    await running.stop();
    this.emit('leader', null);
    this.emit('state', 'stopped');
  }

  /** `host:port` for clients. */
  get connectString(): string {
    const { host, clientPort } = this.#serving();
    const address = host === '::' || host === '0.0.0.0' ? '127.0.0.1' : host;
    return address.includes(':') ? `[${address}]:${clientPort}` : `${address}:${clientPort}`;
  }

  /** One op through the pipeline, as a session of this server's own. */
  async submitRequest(request: LocalRequest): Promise<Reply> {
    const { server } = this.#serving();
    this.#session ??= LocalSession.open(server.port, server.world.clock, LOCAL_SESSION_TIMEOUT_MS);
    const session = await this.#session;
    return session.request(request);
  }

  replicaList(): ReplicaInfo[] {
    const { id, address, zxid } = this.status();
    return [{ id, address, role: 'standalone', zxid, lag: 0, lastHeardMs: 0 }];
  }

  status(): ServerStatus {
    const running = this.#running;
    const zxid = running?.server.view.figures().lastZxid ?? 0n;
    const state =
      running !== null ? 'standalone' : this.#starting === null ? 'stopped' : 'starting';
    const id = this.#config.myid ?? 1;
    return {
      id,
      name: this.#name,
      address: running === null ? '' : this.connectString,
      state,
      leader: running === null ? null : id,
      votedFor: running === null ? null : id,
      lastHeartbeatMs: null,
      electionDeadlineMs: null,
      epoch: Number(zxid >> 32n),
      zxid,
    };
  }

  get config(): ServerConfig {
    return this.#config;
  }

  /** Writes zoo.cfg, atomically: what differs from the defaults. */
  saveConfig(file?: string): Promise<void> {
    const target = file ?? this.#config.configFile;
    if (target === null) {
      return Promise.reject(new TypeError('this server has no configuration file: name one'));
    }
    const defaults: SettingValues = configOf({ dataDir: this.#config.dataDir });
    const lines = settingNames
      .filter((name) => name === 'dataDir' || text(this.#config, name) !== text(defaults, name))
      .map((name) => `${settings[name].key}=${text(this.#config, name)}`);
    writeFileSync(`${target}.tmp`, `${lines.join('\n')}\n`, { flush: true });
    renameSync(`${target}.tmp`, target);
    return Promise.resolve();
  }

  /** Takes over what a running server can; rejects, with every problem, when the file is wrong. */
  loadConfig(file: string): Promise<{ applied: string[]; needRestart: string[] }> {
    const myid = String(this.#config.myid ?? 1);
    const result = parseConfig({
      text: readFileSync(file, 'utf8'),
      file,
      env: {},
      properties: new Map(),
      myid,
    });
    if (!('config' in result)) {
      return Promise.reject(new TypeError(result.problems.map(formatProblem).join('; ')));
    }
    const next = result.config;
    const changed = settingNames.filter((name) => text(next, name) !== text(this.#config, name));
    const applied = changed.filter((name) => HOT_SETTINGS.has(name));
    const hot = Object.fromEntries(applied.map((name) => [name, next[name]]));
    this.#config = { ...this.#config, ...hot };
    this.#running?.server.reconfigure(this.#config);
    this.emit('config', this.#config);
    const needRestart = changed.filter((name) => !HOT_SETTINGS.has(name));
    return Promise.resolve({ applied, needRestart });
  }

  #serving(): RunningServer {
    if (this.#running === null) throw new Error('the server is not running: await start() first');
    return this.#running;
  }

  async #start(): Promise<void> {
    this.emit('state', 'starting');
    try {
      const running = await runServer(this.#config, { logger: this.#logger });
      this.#running = running;
      running.server.onSession = (id, kind) => {
        this.emit('session', { id, kind });
      };
    } catch (problem) {
      this.#starting = null;
      this.emit('state', 'stopped');
      throw problem;
    }
    this.emit('state', 'standalone');
    this.emit('leader', this.#config.myid ?? 1);
  }
}

function text(values: SettingValues, name: SettingName): string {
  return writeSetting(name, values[name]);
}
