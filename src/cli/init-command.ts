/**
 * `zabra init`: an ensemble on several hosts from one machine. For each host it writes a folder that
 * is its data directory to be: the configuration, the number, the word that it may begin empty, and a
 * README. What is left to do is to copy each to its host and to start.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { numberOf, parseArguments, UsageError } from './arguments.js';
import type { Arguments } from './arguments.js';
import { bracketed, planOf, type InitPlan, type PlannedServer } from './init-plan.js';
import { propertyText } from './property-text.js';
import { exitCodes } from './terminal.js';
import type { Terminal } from './terminal.js';

export const initUsage = `zabra init --server NAME=HOST,NAME=HOST,… [--observer NAME=HOST,…] [--out DIR]
           [--data-dir DIR] [--client-port N] [--quorum-port N] [--election-port N]

Writes what the hosts of an ensemble need, from one machine: a folder for each, to be copied to that
host's data directory. Nothing is written over, and nothing is sent anywhere.

  --server         those that vote, at least two; three survive the loss of one, five of two
  --observer       those that serve clients and do not vote
  --out            where the folders go: ./ensemble
  --data-dir       the data directory on the hosts: /var/lib/zabra
  --client-port    2181, for clients
  --quorum-port    2888, from the followers to the leader
  --election-port  3888, for elections; this and the quorum port are for the servers alone

  zabra init --server a=10.0.0.1,b=10.0.0.2,c=10.0.0.3 --observer d=10.1.0.1

docs/operations.md walks three hosts from nothing.`;

interface Layout extends InitPlan {
  readonly out: string;
  readonly dataDir: string;
  readonly clientPort: number;
  readonly quorumPort: number;
  readonly electionPort: number;
}

export function runInitCommand(argv: readonly string[], terminal: Terminal): number {
  const args = parseArguments(argv, {
    lists: ['server', 'observer'],
    values: ['out', 'data-dir', 'client-port', 'quorum-port', 'election-port'],
  });
  const layout = layoutOf(args);
  refuseOverwriting(layout.out);
  for (const server of layout.servers) writeFolder(layout, server);
  for (const warning of layout.warnings) terminal.complain(warning);
  terminal.print(`${textOf(layout)}\n`);
  return exitCodes.finished;
}

function layoutOf(args: Arguments): Layout {
  const plan = planOf(args.lists.get('server') ?? [], args.lists.get('observer') ?? []);
  const dataDir = args.values.get('data-dir') ?? '/var/lib/zabra';
  if (!posix.isAbsolute(dataDir)) {
    throw new UsageError(`--data-dir is a path from the root, on each host, not '${dataDir}'`);
  }
  const port = (name: string, usual: number): number => numberOf(args, name, 1, 65535) ?? usual;
  const ports = {
    clientPort: port('client-port', 2181),
    quorumPort: port('quorum-port', 2888),
    electionPort: port('election-port', 3888),
  };
  if (new Set(Object.values(ports)).size < 3) {
    throw new UsageError('the ports for clients, for the quorum and for elections must differ');
  }
  return { ...plan, ...ports, out: args.values.get('out') ?? 'ensemble', dataDir };
}

function refuseOverwriting(out: string): void {
  if (!existsSync(out) || readdirSync(out).length === 0) return;
  throw new UsageError(`${out} is there already, and not empty: --out names another folder`);
}

function writeFolder(layout: Layout, server: PlannedServer): void {
  const folder = join(layout.out, server.name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'zoo.cfg'), zooCfg(layout, server), { flag: 'wx' });
  writeFileSync(join(folder, 'myid'), `${server.sid}\n`, { flag: 'wx' });
  // an observer has no say in how the ensemble begins
  if (server.role === 'participant') {
    writeFileSync(join(folder, 'initialize'), '', { flag: 'wx' });
  }
  writeFileSync(join(folder, 'README'), readme(layout, server), { flag: 'wx' });
}

/** On one machine each has its own. */
function dataDirOf({ isLocal, dataDir }: Layout, { name }: PlannedServer): string {
  return isLocal ? posix.join(dataDir, name) : dataDir;
}

function zooCfg(layout: Layout, server: PlannedServer): string {
  const { servers, isLocal, clientPort, quorumPort, electionPort } = layout;
  const lines = [
    `# Server ${server.sid}, ${server.name}, of ${servers.length}. The server lines are the same on every host.`,
    'tickTime=2000',
    'initLimit=10',
    'syncLimit=5',
    `dataDir=${propertyText(dataDirOf(layout, server))}`,
    '# Without its data a server waits for that of the others; `initialize` is for the first start.',
    'db.autocreate=false',
    'autopurge.purgeInterval=1',
    '# For `zabra join` and `leave`; who may is up to the ACL of /zookeeper/config.',
    'reconfigEnabled=true',
    '4lw.commands.whitelist=srvr, ruok, mntr',
    '# Without authorisation: for this host alone.',
    `admin.serverAddress=${isLocal ? server.host : '127.0.0.1'}`,
    ...servers.map(({ sid, host, role }) => {
      const address = bracketed(host);
      const kind = role === 'observer' ? ':observer' : '';
      // several on one machine must not all listen everywhere
      const client = isLocal ? `${address}:${clientPort}` : String(clientPort);
      return `server.${sid}=${address}:${quorumPort}:${electionPort}${kind};${client}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

function readme(layout: Layout, server: PlannedServer): string {
  const { clientPort, quorumPort, electionPort } = layout;
  const dataDir = dataDirOf(layout, server);
  return `Server ${server.sid}, ${server.name}, on ${server.host}

Copy what is in this folder to ${dataDir} on ${server.host}, once, before its first start:
  ${copyCommand(layout, server)}
Then start it there, before the others or after them:
  ${startCommand(layout, server)}
With a majority started, this tells who leads:
  zabra word srvr ${bracketed(server.host)}:${clientPort}

Clients: ${connectStringOf(layout)}
The servers reach each other on the ports ${quorumPort} and ${electionPort}; nobody else may.
`;
}

function textOf(layout: Layout): string {
  const { servers, out } = layout;
  const lines = servers.map((server) => {
    const { sid, name, host, role } = server;
    const kind = role === 'observer' ? ', an observer' : '';
    return (
      `server ${sid}, ${name}, on ${host}${kind}\n` +
      `  ${copyCommand(layout, server)}\n` +
      `  ${startCommand(layout, server)}`
    );
  });
  return (
    `wrote a folder for each of ${servers.length} servers into ${out}; for each, copy it and start:\n` +
    `${lines.join('\n')}\nclients connect to ${connectStringOf(layout)}`
  );
}

function copyCommand(layout: Layout, server: PlannedServer): string {
  const from = shellWord(join(layout.out, server.name));
  const to = shellWord(dataDirOf(layout, server));
  if (layout.isLocal) return `mkdir -p ${to} && cp -r ${from}/. ${to}`;
  const host = bracketed(server.host);
  return `ssh ${server.host} mkdir -p ${to} && scp -r ${from}/. ${host}:${to}`;
}

function startCommand(layout: Layout, server: PlannedServer): string {
  const command = `zabra server ${shellWord(`${dataDirOf(layout, server)}/zoo.cfg`)}`;
  return layout.isLocal ? command : `ssh ${server.host} ${command}`;
}

/** A path as a shell takes it for one word. */
function shellWord(path: string): string {
  return /^[\w./:@%+=-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

function connectStringOf({ servers, clientPort }: Layout): string {
  return servers.map(({ host }) => `${bracketed(host)}:${clientPort}`).join(',');
}
