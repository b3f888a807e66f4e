/**
 * A server to ask in tests, in the state in which Apache's was when its answers were captured
 * (test/fixtures/four-letter): idle, or busy with one session that has two ephemerals and watches,
 * one connection without a session, the one that sends the word itself, and a quota.
 */
import { DiskError } from '../../ports/disk.js';
import { configOf } from '../config/config.js';
import type { ServerConfig } from '../config/config.js';
import { ServerMetrics } from '../metrics.js';
import { fourLetterWords } from './four-letter-words.js';
import type { EnsembleView } from './ensemble-view.js';
import type {
  ConnectionView,
  ExpiryView,
  GlobalSessionView,
  ServerFigures,
  ServerView,
} from './view.js';

const sessionId = 0x1000011eb9f0000n;
const wallAtStartMs = 1_795_228_621_000;

export class FixtureView implements ServerView {
  config: ServerConfig;
  readonly metrics = new ServerMetrics();
  readonly clock = {
    monotonicMs: () => 1_176_000.5,
    wallMs: () => wallAtStartMs,
    after: () => ({ cancel: () => undefined }),
    soon: () => undefined,
  };
  isServing = true;
  isReadOnly = false;
  serverState: ServerView['serverState'] = 'standalone';
  readonly clientPort = 2181;
  readonly startedMs = 1_175_000;
  traceMask = 306n;
  ensemble: EnsembleView | null = null;
  readonly done: string[] = [];
  /** The connection that sends the word is one of them; admin commands have none. */
  hasWordConnection = true;
  readonly #isBusy: boolean;

  constructor(state: 'idle' | 'busy') {
    this.#isBusy = state === 'busy';
    this.config = {
      ...configOf({
        dataDir: '/var/lib/zookeeper/data',
        clientPort: 2181,
        tickTimeMs: 2000,
        fourLetterWhitelist: new Set(fourLetterWords),
      }),
      initialConfig:
        '# captured\ntickTime=2000\ndataDir=/var/lib/zookeeper/data\nclientPort=2181\nadmin.serverPort=8080\n',
    };
    if (!this.#isBusy) return;
    this.metrics.readLatencyMs.add(1);
    this.metrics.readPerNamespace.of('app')?.add(76);
    this.metrics.writePerNamespace.of('app')?.add(8);
    this.metrics.writePerNamespace.of('zookeeper')?.add(9);
  }

  figures(): ServerFigures {
    return {
      packetsReceived: 20,
      packetsSent: 19,
      minLatencyMs: 0.2,
      avgLatencyMs: 1.875,
      maxLatencyMs: 6.7,
      outstandingRequests: 0,
      connectionCount: this.#isBusy ? 3 : 1,
      lastZxid: 4n,
      znodeCount: 8,
      watchCount: 3,
      ephemeralCount: 2,
      approximateDataBytes: 70,
      sessionCount: 1,
      localSessionCount: 0,
      lastResponseBytes: this.#isBusy ? 105 : -1,
      minResponseBytes: this.#isBusy ? 24 : -1,
      maxResponseBytes: this.#isBusy ? 105 : -1,
      connectionDropProbability: 0,
      authFailedCount: 0,
      fsyncThresholdExceedCount: 0,
      openFileDescriptorCount: 60,
      maxFileDescriptorCount: 20_000,
    };
  }

  *connections(): Generator<ConnectionView> {
    const bare = {
      remoteAddress: '::ffff:127.0.0.1',
      isSecure: false,
      isReading: true,
      isWriting: false,
      outstandingRequests: 0,
      packetsReceived: 0,
      packetsSent: 0,
      sessionId: 0n,
      sessionTimeoutMs: 10_000,
      lastOperation: 'NA',
      establishedMs: 1_175_000,
      expiresMs: 1_190_000,
      lastCxid: -1,
      lastZxid: -1n,
      lastResponseMs: 0,
      lastLatencyMs: 0,
      minLatencyMs: 0,
      avgLatencyMs: 0,
      maxLatencyMs: 0,
    };
    if (this.#isBusy) {
      yield {
        ...bare,
        remotePort: 43_942,

        packetsReceived: 8,
        packetsSent: 8,
        sessionId,
        sessionTimeoutMs: 30_000,
        lastOperation: 'GETC',
        expiresMs: 1_210_000,
        lastCxid: 7,
        lastZxid: 4n,
        lastResponseMs: 1_175_046.25,
        avgLatencyMs: 1.6,
        maxLatencyMs: 6,
      };
      yield { ...bare, remotePort: 43_952 };
    }
    if (this.hasWordConnection)
      yield { ...bare, remotePort: 43_974, isReading: false, packetsReceived: 1 };
  }

  *sessionExpiries(): Generator<ExpiryView> {
    if (this.#isBusy) yield { expiresMs: 1_206_000, sessionIds: [sessionId] };
  }

  localSessionExpiries(): Iterable<ExpiryView> | null {
    return null;
  }

  globalSessions(): Iterable<GlobalSessionView> | null {
    return null;
  }

  *ephemerals(): ReturnType<ServerView['ephemerals']> & Generator {
    if (this.#isBusy) yield [sessionId, ['/app/live', '/app/other']];
  }

  *watchesBySession(): ReturnType<ServerView['watchesBySession']> & Generator {
    if (this.#isBusy) yield [sessionId, ['/app', '/app/live']];
  }

  *watchesByPath(): ReturnType<ServerView['watchesByPath']> & Generator {
    if (!this.#isBusy) return;
    yield ['/app', [sessionId]];
    yield ['/app/live', [sessionId]];
  }

  watchSummary(): ReturnType<ServerView['watchSummary']> {
    return this.#isBusy
      ? { connections: 1, paths: 2, watches: 2 }
      : { connections: 0, paths: 0, watches: 0 };
  }

  *digests(): ReturnType<ServerView['digests']> & Generator {
    if (this.#isBusy) yield { zxid: 128n, digest: 8_498_642_384n, version: 2 };
  }

  *quotas(): ReturnType<ServerView['quotas']> & Generator {
    if (!this.#isBusy) return;
    yield { namespace: 'app', countLimit: 1000, bytesLimit: 5000, countUsage: 3, bytesUsage: 3 };
  }

  lastSnapshot(): ReturnType<ServerView['lastSnapshot']> {
    return { zxid: 0n, timeMs: wallAtStartMs };
  }

  directorySizes(): ReturnType<ServerView['directorySizes']> {
    return { dataDirBytes: 67_109_358, dataLogDirBytes: 67_109_358 };
  }

  environment(): ReturnType<ServerView['environment']> {
    return [
      ['zookeeper.version', '3.9.5'],
      ['host.name', 'localhost'],
      ['os.name', 'Linux'],
    ];
  }

  permits(scheme: string, shown: Uint8Array): boolean | null {
    const text = new TextDecoder().decode(shown);
    return scheme === 'digest' ? text === 'super:secret' : scheme === 'ip' ? false : null;
  }

  takeSnapshot(): Promise<{ file: string; zxid: bigint; bytes: number } | null> {
    this.done.push('takeSnapshot');
    return Promise.resolve({ file: '/data/version-2/snapshot.64', zxid: 0x64n, bytes: 1234 });
  }

  beginRestore(): never {
    throw new DiskError('ENOSPC', '/data/version-2', 'no room');
  }

  restore(): Promise<void> {
    this.done.push('restore');
    return Promise.resolve();
  }

  resetFigures(): void {
    this.done.push('resetFigures');
  }

  resetConnectionFigures(): void {
    this.done.push('resetConnectionFigures');
  }
}
