/**
 * Servers that only answer four-letter words, with the answers a test gives them: for the faults that
 * a healthy ensemble cannot be brought to in a moment.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Terminal } from '../terminal.js';
import { runDoctorCommand } from '../doctor-command.js';
import type { Diagnosis } from './fault.js';

export interface DoubleOptions {
  readonly sid: number;
  readonly mode?: 'leader' | 'follower' | 'observer' | 'read-only' | 'looking';
  readonly zxids?: readonly string[];
  readonly version?: string;
  readonly figures?: Readonly<Record<string, number>>;
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Takes connections and says nothing. */
  readonly isHanging?: boolean;
  /** As Apache's default whitelist has it. */
  readonly isTightLipped?: boolean;
  /** What it believes; the ensemble's own unless given. */
  readonly members?: string;
  /** Whom it says it is, if that is not who it is. */
  readonly claims?: number;
}

export class Double {
  readonly options: DoubleOptions;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #asked = 0;
  members = '';

  constructor(options: DoubleOptions) {
    this.options = options;
    this.#server = createServer((socket) => {
      this.#open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#open.delete(socket));
      socket.setEncoding('latin1').on('data', (word: string) => {
        if (options.isHanging !== true) socket.end(this.#answer(word));
      });
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this.port;
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(word: string): string {
    const { mode = 'follower', figures = {}, isTightLipped = false } = this.options;
    const isLooking = mode === 'looking';
    if (word === 'srvr') {
      return isLooking
        ? 'This ZooKeeper instance is not currently serving requests\n'
        : this.#srvr();
    }
    if (isTightLipped) return `${word} is not executed because it is not in the whitelist.`;
    if (word === 'conf') return isLooking ? '' : this.#conf();
    if (word !== 'mntr' || isLooking) return '';
    return Object.entries({ num_alive_connections: 1, ...figures })
      .map(([name, value]) => `zk_${name}\t${value}\n`)
      .join('');
  }

  #srvr(): string {
    const { mode = 'follower', zxids = ['0x100000000'], version = '3.9.5' } = this.options;
    const zxid = zxids[Math.min(this.#asked++, zxids.length - 1)] ?? '0x0';
    return (
      `Zookeeper version: ${version}-${'0'.repeat(40)}, built on 2026-01-01 00:00 UTC\n` +
      `Latency min/avg/max: 0/0.0/0\nConnections: 1\nZxid: ${zxid}\nMode: ${mode}\n`
    );
  }

  #conf(): string {
    const { settings = {}, members = this.members, sid, claims = sid } = this.options;
    const values = { tickTime: 2000, initLimit: 10, syncLimit: 5, ...settings };
    const lines = Object.entries(values).map(([key, value]) => `${key}=${value}\n`);
    return `serverId=${claims}\n${lines.join('')}membership: \n${members}`;
  }
}

export interface World {
  readonly doubles: readonly Double[];
  /** All of their addresses. */
  readonly connectString: string;
  close(): Promise<void>;
}

/** They are each other's ensemble; their election ports are open, save for those left out. */
export async function ensembleOf(
  options: readonly DoubleOptions[],
  changes: {
    /** Numbers of further members that nobody listens for. */
    readonly absent?: readonly number[];
    readonly closedElectionPorts?: readonly number[];
    /** After the server lines. */
    readonly more?: string;
  } = {},
): Promise<World> {
  const election = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => election.listen(0, '127.0.0.1', resolve));
  const portOf = (server: Server): number => {
    const address = server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  };
  const doubles = options.map((one) => new Double(one));
  for (const double of doubles) await double.listen();
  // free only now: none of the others can have been given it
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
  const closedPort = portOf(gone);
  await new Promise<void>((resolve) => gone.close(() => resolve()));
  const line = (sid: number, clientPort: number, electionPort: number, role: string): string =>
    `server.${sid}=127.0.0.1:1:${electionPort}:${role};127.0.0.1:${clientPort}\n`;
  const lines = doubles.map(({ options: { sid, mode }, port }) => {
    const isClosed = changes.closedElectionPorts?.includes(sid) === true;
    const role = mode === 'observer' ? 'observer' : 'participant';
    return line(sid, port, isClosed ? closedPort : portOf(election), role);
  });
  for (const sid of changes.absent ?? []) {
    lines.push(line(sid, closedPort, closedPort, 'participant'));
  }
  const members = `${lines.join('')}${changes.more ?? ''}version=100000000`;
  for (const double of doubles) double.members = members;
  return {
    doubles,
    connectString: doubles.map(({ port }) => `127.0.0.1:${port}`).join(','),
    async close() {
      for (const double of doubles) await double.close();
      await new Promise<void>((resolve) => election.close(() => resolve()));
    },
  };
}

export interface Visit {
  readonly code: number;
  readonly found: readonly Diagnosis[];
  readonly redundancy: { readonly voters: number; readonly quorum: number; readonly spare: number };
  readonly text: string;
}

/** The command as people run it, and once more for programs. */
export async function visit(...argv: readonly string[]): Promise<Visit> {
  const run = async (more: readonly string[]): Promise<{ code: number; text: string }> => {
    let text = '';
    const terminal = {
      env: {},
      columns: undefined,
      print: (piece: string) => void (text += piece),
      complain: (line: string) => assertSilent(line),
    } as unknown as Terminal;
    const code = await runDoctorCommand([...argv, '--timeout', '500', ...more], terminal);
    return { code, text };
  };
  const forPrograms = await run(['--json']);
  const forPeople = await run([]);
  const { found, redundancy } = JSON.parse(forPrograms.text) as Visit;
  return { code: forPeople.code, text: forPeople.text, found, redundancy };
}

function assertSilent(line: string): never {
  throw new Error(`nothing is to be told in a pipe but the report: ${line}`);
}
