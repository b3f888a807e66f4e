/**
 * The two admin commands that carry a snapshot: `snapshot` takes one and streams its file, `restore`
 * puts a posted one in the place of everything here. Both are Apache's, with its order of refusals, its
 * limits and its headers; where Apache leaves `error` empty, here it says what was wrong.
 */
import type { Clock } from '../../ports/clock.js';
import { DiskError } from '../../ports/disk.js';
import type { Logger } from '../../ports/logger.js';
import { RestoreError } from '../../storage/restore.js';
import { SnapshotError } from '../../storage/snapshot-source.js';
import type { AdminAnswer } from './admin-commands.js';
import { refusalOf, type ChangingRequest } from './changing-commands.js';
import { notServing } from './four-letter-answers.js';
import { JsonObject, type JsonValue } from './json.js';
import { hex } from './text.js';
import { isServing, type ProcessView, type ServerView } from './view.js';

export interface BackupRequest extends ChangingRequest {
  /** Piece by piece; each is lent until the next is asked for. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface BackupAnswer extends AdminAnswer {
  readonly headers?: Readonly<Record<string, string>>;
  /** To be sent in place of the body: so many bytes of this file. */
  readonly file?: { readonly path: string; readonly bytes: number };
}

const commands: ReadonlyMap<string, 'snapshot' | 'restore'> = new Map([
  ['snapshot', 'snapshot'],
  ['snap', 'snapshot'],
  ['restore', 'restore'],
  ['rest', 'restore'],
]);

const withoutLastZxid = 'serializeLastProcessedZxid.enabled is false';
const tooOften = 'too soon after the last one (admin.rateLimiterIntervalInMS)';

/** One in each interval. */
class RateLimit {
  readonly #clock: Clock;
  #sinceMs: number;
  #isUsed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  allows(intervalMs: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs > this.#sinceMs + intervalMs) {
      this.#isUsed = false;
      this.#sinceMs = nowMs;
    }
    if (this.#isUsed) return false;
    this.#isUsed = true;
    return true;
  }
}

/** Of one process: its limits outlive the servers that it makes. */
export class BackupCommands {
  readonly #logger: Logger;
  readonly #snapshotRate: RateLimit;
  readonly #restoreRate: RateLimit;
  #isRestoring = false;

  constructor(clock: Clock, logger: Logger) {
    this.#logger = logger;
    this.#snapshotRate = new RateLimit(clock);
    this.#restoreRate = new RateLimit(clock);
  }

  /** Null: there is no such command here. */
  async run(name: string, request: BackupRequest, view: ProcessView): Promise<BackupAnswer | null> {
    const command = commands.get(name);
    if (command === undefined) return null;
    const server = isServing(view) ? view : null;
    if (server === null) return refused(200, name, notServing);
    const refusal = refusalOf(request, server);
    if (refusal !== null) return refused(refusal.status, name, refusal.error);
    const method = command === 'snapshot' ? 'GET' : 'POST';
    if (request.method !== method) return refused(405, name, `${command} is asked with ${method}`);
    return command === 'snapshot'
      ? await this.#snapshot(request, server)
      : await this.#restore(request, server);
  }

  async #snapshot({ params }: BackupRequest, view: ServerView): Promise<BackupAnswer> {
    const { config, metrics } = view;
    const refuse = (status: number, why: string): BackupAnswer => refused(status, 'snapshot', why);
    if (!config.adminSnapshotEnabled) return refuse(503, 'admin.snapshot.enabled is false');
    if (!config.serializeLastProcessedZxidEnabled) return refuse(500, withoutLastZxid);
    // Apache takes the interval for microseconds here: what operators know is a thousandth of it
    if (!this.#snapshotRate.allows(Math.floor(config.adminRateLimiterIntervalMs / 1000))) {
      metrics.snapshotRateLimitedCount.value++;
      return refuse(429, tooOften);
    }
    const written = await view.takeSnapshot();
    if (written === null) return refuse(500, 'the snapshot failed: the log says why');
    const { file: path, zxid, bytes } = written;
    const headers = { last_zxid: `0x${hex(zxid)}`, snapshot_size: String(bytes) };
    const isStreaming = (params.get('streaming') ?? 'true').toLowerCase() === 'true';
    const answer = { ...answered('snapshot', {}), headers };
    return isStreaming ? { ...answer, file: { path, bytes } } : answer;
  }

  async #restore(request: BackupRequest, view: ServerView): Promise<BackupAnswer> {
    const { config, metrics, clock } = view;
    const refuse = (status: number, why: string): BackupAnswer => refused(status, 'restore', why);
    if (!config.adminRestoreEnabled) return refuse(503, 'admin.restore.enabled is false');
    if (!config.serializeLastProcessedZxidEnabled) return refuse(500, withoutLastZxid);
    if (this.#isRestoring || !this.#restoreRate.allows(config.adminRateLimiterIntervalMs)) {
      metrics.restoreRateLimitedCount.value++;
      return refuse(429, tooOften);
    }
    this.#isRestoring = true;
    const startMs = clock.monotonicMs();
    try {
      const zxid = await this.#takeOver(request, view);
      metrics.restoreTime.add(clock.monotonicMs() - startMs);
      return answered('restore', { last_zxid: zxid });
    } catch (problem) {
      metrics.restoreErrorCount.value++;
      const reason = problem instanceof Error ? problem.message : String(problem);
      this.#logger.warn('a snapshot was not restored', { reason });
      const isOurs =
        problem instanceof SnapshotError ||
        problem instanceof RestoreError ||
        problem instanceof DiskError;
      return refuse(500, isOurs ? reason : 'the snapshot did not arrive');
    } finally {
      this.#isRestoring = false;
    }
  }

  /** Resolves to the last zxid of what was restored, which is durable then. */
  async #takeOver({ body }: BackupRequest, view: ServerView): Promise<bigint> {
    const restore = view.beginRestore();
    try {
      for await (const bytes of body) await restore.write(bytes);
      const zxid = await restore.read();
      this.#logger.info('restoring a snapshot', { zxid: hex(zxid) });
      await view.restore(restore);
      this.#logger.info('a snapshot was restored', { zxid: hex(zxid) });
      return zxid;
    } finally {
      await restore.discard();
    }
  }
}

function refused(status: number, name: string, error: string): BackupAnswer {
  return { status, body: new JsonObject(Object.entries({ command: name, error })) };
}

function answered(name: string, fields: Readonly<Record<string, JsonValue>>): BackupAnswer {
  const body = new JsonObject(Object.entries({ ...fields, command: name, error: null }));
  return { status: 200, body };
}
