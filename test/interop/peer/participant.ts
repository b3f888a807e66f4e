/**
 * A server of ours that does nothing but elect: election port and election on the real network, and
 * what both of them said.
 */
import type { ElectionPort as Port } from '../../../src/server/ensemble/election-port.js';
import type { Election as Core, ElectionOutcome } from '../../../src/zab/election.js';

const builtPart = async <T>(path: string): Promise<T> =>
  (await import(new URL(`../../../../dist/${path}.js`, import.meta.url).href)) as T;

type PortModule = typeof import('../../../src/server/ensemble/election-port.js');
type ElectionModule = typeof import('../../../src/zab/election.js');
type QuorumModule = typeof import('../../../src/zab/quorum.js');
type NetworkModule = typeof import('../../../src/node/network.js');
type ClockModule = typeof import('../../../src/node/clock.js');

const { ElectionPort } = await builtPart<PortModule>('server/ensemble/election-port');
const { Election } = await builtPart<ElectionModule>('zab/election');
const { majorityQuorum } = await builtPart<QuorumModule>('zab/quorum');
const { nodeNetwork } = await builtPart<NetworkModule>('node/network');
const { nodeClock } = await builtPart<ClockModule>('node/clock');

export interface Member {
  readonly quorumPort: number;
  readonly electionPort: number;
  readonly clientPort: number;
}

function configText(members: ReadonlyMap<number, Member>, version: bigint): string {
  const lines = [...members].map(
    ([sid, { quorumPort, electionPort, clientPort }]) =>
      `server.${sid}=127.0.0.1:${quorumPort}:${electionPort}:participant;0.0.0.0:${clientPort}`,
  );
  return [...lines, `version=${version.toString(16)}`].join('\n');
}

export class Participant {
  readonly #election: Core;
  #version = 0n;
  #port: Port | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isPumpDue = false;
  /** Connections that came and went. */
  readonly told: string[] = [];

  private constructor(sid: number, members: ReadonlyMap<number, Member>) {
    this.#election = new Election({
      sid,
      learnerRole: () => 'following',
      quorums: () => [majorityQuorum(members.keys(), this.#version)],
      configText: () => configText(members, this.#version),
      configVersionOf: (text) => {
        const version = /^version=([0-9a-f]+)$/m.exec(text)?.[1];
        return version === undefined ? null : BigInt(`0x${version}`);
      },
    });
  }

  static async start(sid: number, members: ReadonlyMap<number, Member>): Promise<Participant> {
    const participant = new Participant(sid, members);
    const election = participant.#election;
    const silent = (): void => undefined;
    participant.#port = await ElectionPort.listen(
      {
        network: nodeNetwork,
        clock: nodeClock,
        logger: { debug: silent, info: silent, warn: silent, error: silent },
        mySid: sid,
        peers: () =>
          new Map(
            [...members].map(([other, { electionPort }]) => [
              other,
              { electionAddresses: [{ host: '127.0.0.1', port: electionPort }] },
            ]),
          ),
        connectTimeoutMs: 5000,
        useV2: false,
        isKnown: (other) => members.has(other),
      },
      {
        onMessage: (from, notification) => {
          election.onNotification(from, notification, nodeClock.monotonicMs());
          participant.#soon();
        },
        word: () => election.word,
        onConnected: (other) => {
          participant.told.push(`connected ${other}`);
          election.onConnected(other, nodeClock.monotonicMs());
          participant.#soon();
        },
        onDisconnected: (other) => {
          participant.told.push(`disconnected ${other}`);
          election.onDisconnected(other, nodeClock.monotonicMs());
          participant.#soon();
        },
      },
    );
    return participant;
  }

  look(zxid: bigint, peerEpoch: number): void {
    this.#election.start(nodeClock.monotonicMs(), { zxid, peerEpoch });
    this.#pump({ zxid, peerEpoch });
  }

  get outcome(): ElectionOutcome | null {
    return this.#election.outcome;
  }

  get connected(): number[] {
    return [...(this.#port?.connected() ?? [])].sort((a, b) => a - b);
  }

  get configVersion(): bigint {
    return this.#version;
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#port?.close();
    this.#port = null;
  }

  #own = { zxid: 0n, peerEpoch: 0 };

  #soon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    nodeClock.soon(() => {
      this.#isPumpDue = false;
      this.#pump(this.#own);
    });
  }

  #pump(own: { readonly zxid: bigint; readonly peerEpoch: number }): void {
    this.#own = own;
    if (this.#port === null) return;
    const { newerConfig } = this.#election;
    if (newerConfig !== null) {
      this.#version = newerConfig.version;
      this.#election.start(nodeClock.monotonicMs(), own);
    }
    for (const { to, notification } of this.#election.takeMessages()) {
      this.#port.send(to, notification);
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const waitMs = this.#election.deadlineMs - nodeClock.monotonicMs();
    if (waitMs === Infinity) return;
    this.#timer = setTimeout(
      () => {
        this.#election.tick(nodeClock.monotonicMs());
        this.#pump(own);
      },
      Math.max(0, waitMs),
    );
  }
}
