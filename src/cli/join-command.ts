/**
 * `zabra join`: a new server from one address of an ensemble. It learns who is there, starts as a
 * follower without a vote, takes all the data, and then asks to be counted. The process is the server,
 * and stays; from then on it is started like any other.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { EnsembleError, EnsembleSession, placesAt } from '../node/ensemble-session.js';
import { dnsServiceNames } from '../node/service-names.js';
import { readSrvr } from '../protocol/four-letter-words.js';
import type { EnsembleServer } from '../server/config/ensemble-config.js';
import { votersOf, type Members } from '../server/config/members.js';
import { serverLine } from '../server/ensemble/autopilot-record.js';
import { parseArguments, UsageError, type Arguments } from './arguments.js';
import { credentialOf } from './credential.js';
import { joinFilesIn, refuseForeignData, writeJoinFiles, type JoinFiles } from './join-files.js';
import { joinerOf, joinValues, placeText, standingOf } from './join-plan.js';
import { loggerFor, loggingValues } from './logging.js';
import { complainOfProblems, readConfig } from './server-config.js';
import { exitCodeOf, reasonOf } from './server-command.js';
import { exitCodes, type RunningServer, type Terminal } from './terminal.js';
import { askWord } from './words/ask-word.js';

export const joinUsage = `zabra join ENSEMBLE --id N --address HOST --data DIR [--ports 2888:3888]
           [--client-port 2181] [--observer] [--auth digest:USER:PASSWORD] [-Dkey=value …]
           [--log-file FILE] [--log-level LEVEL]

Makes a new server a member of an ensemble and runs it, in the foreground. ENSEMBLE is the client
address of one of its servers (or of several, with commas), or a name of DNS SRV, as in
_zookeeper._tcp.example.org. It writes zoo.cfg, its dynamic file and myid into DIR, takes the data from
the leader, and asks to be counted in; later starts are  zabra server DIR/zoo.cfg.

  --id           a number that no other server has
  --address      where the other servers reach this one
  --ports        for the quorum and for elections, 2888:3888 unless given
  --client-port  2181 unless given
  --observer     it serves clients, and does not vote
  --auth         who may change the configuration (also in the variable ZABRA_AUTH)
  -Dkey=value    goes into its zoo.cfg: tickTime, initLimit and syncLimit as the others have them
  --log-file     DIR/server.log unless given

  zabra join 10.0.0.1:2181 --id 4 --address 10.0.0.4 --data /var/lib/zabra --auth digest:super:secret

Interrupted, it may be run again. Ends like zabra server; with 1 also when it was not let in.`;

/** For a leader to be found and its data to be taken. */
const SYNC_TIMEOUT_MS = 600_000;
const CHANGE_TIMEOUT_MS = 60_000;
const LOOK_MS = 100;
const TOLD_EVERY_MS = 5000;

export async function runJoinCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, {
    values: [...joinValues, ...loggingValues],
    flags: ['observer'],
    positionals: 1,
  });
  const [target] = args.positionals;
  if (target === undefined) {
    throw new UsageError('where is the ensemble? zabra join HOST:PORT --id N --address HOST …');
  }
  const joiner = joinerOf(args);
  const data = args.values.get('data');
  if (data === undefined) throw new UsageError('--data is missing: the data directory');
  const files = joinFilesIn(data);
  refuseForeignData(files, joiner.sid);
  let ensemble: EnsembleSession | null = null;
  try {
    const places = await placesAt(target, dnsServiceNames());
    ensemble = new EnsembleSession(places, credentialOf(args, terminal.env));
    return await new Joining({ args, terminal, joiner, files, ensemble }).run();
  } catch (error) {
    if (!(error instanceof EnsembleError)) throw error;
    terminal.complain(`zabra join: ${error.message}`);
    return exitCodes.unexpected;
  } finally {
    await ensemble?.close();
  }
}

interface JoiningParts {
  readonly args: Arguments;
  readonly terminal: Terminal;
  readonly joiner: EnsembleServer;
  readonly files: JoinFiles;
  readonly ensemble: EnsembleSession;
}

class Joining {
  readonly #parts: JoiningParts;

  constructor(parts: JoiningParts) {
    this.#parts = parts;
  }

  async run(): Promise<number> {
    const { ensemble, joiner, files, args } = this.#parts;
    const members = await ensemble.members();
    const standing = standingOf(joiner, members);
    this.#say(`the ensemble at ${ensemble.where}: ${whoIs(members)}`);
    if (standing !== 'member') await ensemble.checkChangeable();
    await ensemble.close();
    if (standing === 'new' || !existsSync(files.config)) {
      writeJoinFiles(files, joiner, members, args.properties);
      this.#say(`wrote ${files.config}, its dynamic file, and myid`);
    }
    if (standing === 'member') this.#say(`server ${joiner.sid} is a member already: only started`);
    return await this.#serve(standing !== 'member');
  }

  async #serve(mustAsk: boolean): Promise<number> {
    const { terminal, files, args } = this.#parts;
    const env = {};
    const result = readConfig({ file: files.config, env, properties: new Map() });
    if ('problems' in result) {
      complainOfProblems(result, terminal);
      return exitCodes.invalidInvocation;
    }
    const logFile = args.values.get('log-file') ?? `${files.dataDir}/server.log`;
    const values = new Map([...args.values, ['log-file', logFile]]);
    const logger = await loggerFor({ ...args, values }, 'info');
    terminal.onCrash((error) => {
      logger.error('a bug ended this process', { error: error.stack ?? error.message });
    });
    const signal = terminal.untilStopped();
    let server: RunningServer | null = null;
    try {
      server = await terminal.startServer(result.config, { logger });
      this.#say(`started; what it does is told in ${logFile}`);
      const isIn = await Promise.race([this.#comeIn(server, mustAsk), signal.then(() => false)]);
      if (isIn) await signal;
      this.#say('stopping');
      return exitCodes.finished;
    } catch (error) {
      terminal.complain(`zabra join: ${reasonOf(error)}`);
      return exitCodeOf(error);
    } finally {
      await server?.stop();
      await this.#parts.ensemble.close();
      logger.close();
    }
  }

  async #comeIn(server: RunningServer, mustAsk: boolean): Promise<boolean> {
    const { ensemble, joiner, files } = this.#parts;
    await this.#upToDate(server);
    if (mustAsk) {
      this.#say('it has what the ensemble has; asking to be counted in');
      await ensemble.change({ joining: serverLine(joiner) }, CHANGE_TIMEOUT_MS);
    }
    await this.#known();
    const members = await ensemble.members();
    await ensemble.close();
    const kind = joiner.role === 'observer' ? 'an observer' : 'a voter';
    this.#say(`server ${joiner.sid} is ${kind}: ${whoIs(members)}`);
    this.#say(`clients: port ${server.clientPort}; later starts: zabra server ${files.config}`);
    return true;
  }

  /** It follows a leader, and serves. */
  async #upToDate({ host, clientPort }: RunningServer): Promise<void> {
    const begunMs = performance.now();
    let toldMs = begunMs;
    const own = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    for (;;) {
      const place = { host: own, port: clientPort };
      const answer = await askWord('srvr', place, { timeoutMs: 1000 }).catch(() => '');
      const mode = readSrvr(answer)?.mode;
      if (mode === 'follower' || mode === 'observer' || mode === 'leader') return;
      const nowMs = performance.now();
      if (nowMs - begunMs > SYNC_TIMEOUT_MS) {
        throw new Error('no leader has brought it up to date: can the servers reach each other?');
      }
      if (nowMs - toldMs > TOLD_EVERY_MS) {
        toldMs = nowMs;
        this.#say('still looking for the leader, or taking its data');
      }
      await sleep(LOOK_MS);
    }
  }

  /** The ensemble says so. */
  async #known(): Promise<void> {
    const { ensemble, joiner } = this.#parts;
    const endMs = performance.now() + CHANGE_TIMEOUT_MS;
    for (;;) {
      const found = (await ensemble.members()).servers.get(joiner.sid);
      if (found?.role === joiner.role && placeText(found) === placeText(joiner)) return;
      if (performance.now() > endMs) throw new Error('it was taken out again, by somebody else');
      await sleep(LOOK_MS);
    }
  }

  #say(line: string): void {
    this.#parts.terminal.print(`${line}\n`);
  }
}

/** `servers 1, 2, 3 vote, 4 watches`. */
export function whoIs(members: Members): string {
  const voters = votersOf(members).sort((one, other) => one - other);
  const observers = [...members.servers.keys()].filter((sid) => !voters.includes(sid));
  const watching = observers.length === 0 ? '' : `, ${observers.join(', ')} only serve`;
  const spare = Math.ceil(voters.length / 2) - 1;
  return `servers ${voters.join(', ')} vote${watching}; it survives the loss of ${spare}`;
}
