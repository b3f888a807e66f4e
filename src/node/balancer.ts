/**
 * The balancer on Node: what `zabra balance` runs, and what programs embed. Beside the balancer itself it
 * has what belongs to a process: the control endpoint with its file, a port for metrics, the access log.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { AccessEvent, AccessLog } from '../balancer/telling/access-log.js';
import { Balancer as AnyBalancer } from '../balancer/balancer.js';
import { readOptions, type BalancerOptions, type ReadOptions } from '../balancer/options.js';
import { silentLogger, type LogFields, type Logger } from '../ports/logger.js';
import { startControl, startMetrics, type HttpPort } from './balancer-control.js';
import { listenPlace, settingsOf, worldOf } from './balancer-settings.js';
import {
  controlDirectory,
  removeControlFile,
  removeDeadControlFiles,
  writeControlFile,
} from './control-file.js';
import { createLogger, type ClosableLogger } from './logger.js';

export interface BalancerSurroundings {
  /** Silent unless given. */
  readonly logger?: Logger;
  /** At least 0, below 1; `Math.random` unless given: what is decided by chance can be repeated. */
  readonly random?: () => number;
}

const LOOPBACK = '127.0.0.1';
const TOKEN_BYTES = 32;

export class Balancer extends AnyBalancer {
  readonly #options: ReadOptions;
  readonly #logger: Logger;
  readonly #accessLog: FileAccessLog | null;
  #control: HttpPort | null = null;
  #metrics: HttpPort | null = null;
  #controlFile: string | null = null;
  #hasStopped = false;

  /** Throws OptionError, which has all that is wrong. */
  constructor(
    given: BalancerOptions,
    { logger = silentLogger, random = Math.random }: BalancerSurroundings = {},
  ) {
    const options = readOptions(given);
    const { accessLog: log } = options;
    const accessLog = log === undefined ? null : new FileAccessLog(log.file, log.requests ?? false);
    super(settingsOf(options, logger, accessLog), { ...worldOf(options, logger), random });
    this.#options = options;
    this.#logger = logger;
    this.#accessLog = accessLog;
  }

  /** `host:port` of the first listener, for clients; after `start`. */
  get connectString(): string {
    return this.listeners[0]?.address ?? '';
  }

  /** Where the metrics are to be had without a token; null: nowhere. */
  get metricsAddress(): string | null {
    return this.#metrics === null ? null : `${this.#metrics.host}:${this.#metrics.port}`;
  }

  /** Null: there is no control endpoint. */
  get controlFile(): string | null {
    return this.#controlFile;
  }

  override async start(): Promise<void> {
    await this.#accessLog?.open();
    await super.start();
    try {
      await this.#startMetrics();
      await this.#startControl();
      if (this.#hasStopped) throw new Error('the balancer was stopped while it started');
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  override async stop(): Promise<void> {
    this.#hasStopped = true;
    if (this.#controlFile !== null) removeControlFile(this.#controlFile);
    this.#controlFile = null;
    await Promise.all([this.#control?.close(), this.#metrics?.close()]);
    this.#control = null;
    this.#metrics = null;
    await super.stop();
    this.#accessLog?.close();
  }

  async #startMetrics(): Promise<void> {
    const address = this.#options.metrics?.listen;
    if (address === undefined) return;
    const { host = LOOPBACK, port } = listenPlace(address, 'metrics.listen');
    this.#metrics = await startMetrics(this, { host, port });
    this.#logger.info('metrics', { url: `http://${this.metricsAddress ?? ''}/metrics` });
  }

  async #startControl(): Promise<void> {
    const { control = {} } = this.#options;
    if (control === false) return;
    const { listen = `${LOOPBACK}:0`, file } = control === true ? {} : control;
    const { host = LOOPBACK, port } = listenPlace(listen, 'control.listen');
    const path = file ?? this.#usualControlFile();
    if (path === null) return;
    const token = randomBytes(TOKEN_BYTES).toString('hex');
    const endpoint = await startControl(this, { host, port, token }, this.#logger);
    this.#control = endpoint;
    writeControlFile(path, {
      ...{ host: endpoint.host, port: endpoint.port, token },
      ...{ pid: process.pid, listen: this.listeners.map(({ address }) => address) },
    });
    this.#controlFile = path;
    this.#logger.info('control endpoint', { address: `${host}:${endpoint.port}`, file: path });
  }

  /** Null: there is no place for it, which is told; clients can be served all the same. */
  #usualControlFile(): string | null {
    try {
      const directory = controlDirectory();
      removeDeadControlFiles(directory);
      return join(directory, `balance-${fileNameOf(this.connectString)}.json`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.warn('there is no control endpoint', { reason });
      return null;
    }
  }
}

/** What may stand in the name of a file on every system. */
function fileNameOf(address: string): string {
  return address.replaceAll(/[^\w.]+/g, '-').replace(/^-/, '');
}

/** Lines of JSON, by the same writer as the log's. */
class FileAccessLog implements AccessLog {
  readonly #file: string;
  readonly logsRequests: boolean;
  #log: ClosableLogger | null = null;

  constructor(file: string, logsRequests: boolean) {
    this.#file = file;
    this.logsRequests = logsRequests;
  }

  async open(): Promise<void> {
    const file = this.#file === '-' ? null : this.#file;
    this.#log = await createLogger({ level: 'info', format: 'json', file });
  }

  write(event: AccessEvent, fields: LogFields): void {
    this.#log?.info(event, fields);
  }

  close(): void {
    this.#log?.close();
    this.#log = null;
  }
}
