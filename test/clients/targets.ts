/**
 * The ensembles that the client's suite runs against: ours and Apache's, one server and three, and the
 * oldest release that the client promises to work with.
 */
import { Members, type Kind } from '../cluster/members.js';
import { startOracle, type OracleVersion } from '../support/oracle.js';
import type { ServerProcess } from '../support/server-process.js';
import { startZabra } from '../support/zabra-process.js';

export interface Target {
  readonly name: string;
  /** What servers of this release do not have yet is skipped, or done without. */
  readonly release: readonly [major: number, minor: number];
  readonly servers: 1 | 3;
  readonly isApache: boolean;
  start(): Promise<Running>;
}

export interface Running {
  readonly connectString: string;
  /** Kills whoever leads, or the only server. */
  killLeader(): Promise<void>;
  /** Starts it again; resolves when all serve. */
  startAgain(): Promise<void>;
  dispose(): Promise<void>;
}

const config = { '4lw.commands.whitelist': '*', reconfigEnabled: 'true' };
const properties = {
  'zookeeper.extendedTypesEnabled': 'true',
  'zookeeper.DigestAuthenticationProvider.superDigest': 'super:+w29NTE5iMFbmRsamRQv7xoJ9ZI=',
};

async function one(started: Promise<ServerProcess>): Promise<Running> {
  let server = await started;
  return {
    connectString: `127.0.0.1:${server.port}`,
    async killLeader() {
      server.willEnd();
      await server.kill('SIGKILL');
    },
    async startAgain() {
      server = await server.startAgain();
    },
    dispose: () => server.dispose(),
  };
}

async function three(kind: Kind): Promise<Running> {
  const members = await Members.prepare([kind, kind, kind], {
    purpose: 'clients',
    config,
    properties,
  });
  try {
    await members.startAll();
    await members.untilAllServe();
  } catch (error) {
    await members.dispose();
    throw error;
  }
  let killed = 0;
  return {
    connectString: members.sids
      .map((sid) => members.addressOf(sid))
      .map(({ host, port }) => `${host}:${port}`)
      .join(','),
    async killLeader() {
      killed = await members.leader();
      await members.end(killed);
    },
    async startAgain() {
      await members.start(killed);
      await members.untilAllServe();
    },
    dispose: () => members.dispose(),
  };
}

const apache = (version: OracleVersion): Promise<Running> =>
  one(startOracle(version, { config, properties }));

export const targets: readonly Target[] = [
  {
    ...{ name: 'zabra', release: [3, 9], servers: 1, isApache: false },
    start: () => one(startZabra({ config, properties })),
  },
  {
    ...{ name: 'zabra-3', release: [3, 9], servers: 3, isApache: false },
    start: () => three('zabra'),
  },
  {
    ...{ name: 'apache', release: [3, 9], servers: 1, isApache: true },
    start: () => apache('3.9.5'),
  },
  {
    ...{ name: 'apache-3', release: [3, 9], servers: 3, isApache: true },
    start: () => three('apache'),
  },
  {
    ...{ name: 'apache-3.5', release: [3, 5], servers: 1, isApache: true },
    start: () => apache('3.5.10'),
  },
];
