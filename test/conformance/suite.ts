/**
 * What a conformance case is: an async function that talks to some server and throws a Disagreement
 * when the server does not behave like ZooKeeper. Cases do not know the target; a target that
 * differs on purpose is told apart by `deviates`, and a case says what it needs.
 */
import type { ServerOptions, ServerProcess } from '../support/server-process.js';
import type { ConnectFields } from '../support/raw-client.js';
import type { TestClient } from '../support/test-client.js';

export interface Target {
  readonly name: string;
  readonly isApache: boolean;
  /** The release whose behaviour it has, as three numbers. */
  readonly release: readonly [number, number, number];
  /** What the server under test is, and its number: 1 where it is alone. */
  readonly mode: 'standalone' | 'leader' | 'follower' | 'observer';
  readonly sid: number;
  /** Why a case is not for this target; null: it is. */
  whyNot?(one: Case): string | null;
  start(options: ServerOptions): Promise<ServerProcess>;
}

/** What a case is given. Clients opened through it are closed when the case ends. */
export interface Trial {
  readonly target: Target;
  /** The server as it runs now: another one after `restart`. */
  readonly server: ServerProcess;
  /** A znode that exists and belongs to this case alone. */
  readonly path: string;
  connect(fields?: Partial<ConnectFields>): Promise<TestClient>;
  open(): Promise<TestClient>;
  /** Takes care of a client that the case made by itself. */
  adopt(client: TestClient): TestClient;
  fourLetter(word: string): Promise<string>;
  /** Only for groups that own their server. */
  restart(signal: NodeJS.Signals): Promise<void>;
}

export interface CaseOptions {
  /** The first release that behaves so; older targets skip, with `why`. */
  readonly since?: readonly [number, number, number];
  readonly why?: string;
  /** Ours differs from Apache on purpose; the case holds both expectations. */
  readonly deviates?: string;
  /** Mostly waits: runs beside the group's other waiting cases. */
  readonly waits?: boolean;
}

export interface Case extends CaseOptions {
  readonly group: string;
  readonly name: string;
  readonly run: (trial: Trial) => Promise<void>;
}

export interface Group {
  readonly name: string;
  readonly server: Pick<ServerOptions, 'config' | 'properties'>;
  /** No other group sees this server: it may be restarted. */
  readonly owns: boolean;
  readonly cases: readonly Case[];
}

export interface GroupOptions extends Pick<ServerOptions, 'config' | 'properties'> {
  readonly owns?: boolean;
}

type Define = (name: string, run: (trial: Trial) => Promise<void>, options?: CaseOptions) => void;

/** Ticks are short so that sessions expire soon; the longest timeout is long for slow machines. */
export const tickMs = 200;
export const superPassword = 'super:open-sesame';

const sharedConfig = { tickTime: String(tickMs), maxSessionTimeout: '60000' };
const sharedProperties = {
  'zookeeper.extendedTypesEnabled': 'true',
  // base64(SHA1("super:open-sesame"))
  'zookeeper.DigestAuthenticationProvider.superDigest': 'super:LP2KnUF9suyHm7CDSqpcMKUtKxE=',
};

export function group(name: string, options: GroupOptions, define: (test: Define) => void): Group {
  const cases: Case[] = [];
  define((caseName, run, caseOptions = {}) => {
    cases.push({ group: name, name: caseName, run, ...caseOptions });
  });
  return {
    name,
    owns: options.owns ?? false,
    server: {
      config: { ...sharedConfig, ...options.config },
      properties: { ...sharedProperties, ...options.properties },
    },
    cases,
  };
}
