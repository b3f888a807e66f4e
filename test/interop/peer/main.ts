/**
 * `node build/test/interop/peer/main.js [3.8.0]`: one server of ours, which only elects, beside two of
 * Apache's, in each place that its number can have. They must understand each other's votes, keep one
 * connection for a pair, and come to the same result.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fourLetterWord } from '../../support/four-letter.js';
import { steadyPort } from '../../support/golden-peer/steady-port.js';
import { MissingError, temporaryDirectory } from '../../support/machine.js';
import { startOracle, type OracleVersion } from '../../support/oracle.js';
import type { ServerProcess } from '../../support/server-process.js';
import { TestClient } from '../../support/test-client.js';
import { Participant, type Member } from './participant.js';

const sids = [1, 2, 3];
const release: OracleVersion = process.argv[2] === '3.8.0' ? '3.8.0' : '3.9.5';
const tally = { passed: 0, failed: 0 };

function check(what: string, found: unknown, wanted: unknown): void {
  const [is, should] = [String(found), String(wanted)];
  if (is === should) {
    tally.passed++;
  } else {
    tally.failed++;
    console.log(`FAIL ${what}: ${is} instead of ${should}`);
  }
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 600; waited++) {
    if (await isSo()) return;
    await sleep(50);
  }
  throw new Error(`waited in vain: ${what}`);
}

class Ensemble {
  readonly home = temporaryDirectory('interop-peer');
  readonly members = new Map<number, Member>();
  readonly servers = new Map<number, ServerProcess>();

  async prepare(): Promise<void> {
    for (const sid of sids) {
      this.members.set(sid, {
        quorumPort: await steadyPort(),
        electionPort: await steadyPort(),
        clientPort: await steadyPort(),
      });
      const directory = join(this.home, String(sid));
      mkdirSync(directory);
      writeFileSync(join(directory, 'myid'), `${sid}\n`);
    }
  }

  async startApache(sid: number): Promise<ServerProcess> {
    const servers = [...this.members].map(([other, member]): [string, string] => [
      `server.${other}`,
      `127.0.0.1:${member.quorumPort}:${member.electionPort}`,
    ]);
    const server = await startOracle(release, {
      dataDir: join(this.home, String(sid)),
      port: this.members.get(sid)?.clientPort ?? 0,
      config: {
        tickTime: '500',
        reconfigEnabled: 'true',
        initLimit: '20',
        syncLimit: '10',
        ...Object.fromEntries(servers),
      },
    });
    this.servers.set(sid, server);
    return server;
  }

  async modeOf(sid: number): Promise<string> {
    const server = this.servers.get(sid);
    if (server === undefined) return 'down';
    const answer = await fourLetterWord(server, 'srvr').catch(() => '');
    return /^Mode: (\w+)$/m.exec(answer)?.[1] ?? 'none';
  }

  async dispose(): Promise<void> {
    for (const server of this.servers.values()) await server.dispose();
    rmSync(this.home, { recursive: true, force: true });
  }
}

const shown = (ours: Participant): string =>
  `${ours.outcome?.role ?? 'looking'} ${ours.outcome?.leader ?? ''}`;

/** All begin at once with nothing; then ours is away for a while, and then the leader dies. */
async function elect(own: number): Promise<void> {
  const ensemble = new Ensemble();
  const theirs = sids.filter((sid) => sid !== own);
  const [smaller = 0, larger = 0] = theirs;
  let ours: Participant | null = null;
  try {
    await ensemble.prepare();
    ours = await Participant.start(own, ensemble.members);
    const started = Promise.all(theirs.map((sid) => ensemble.startApache(sid)));
    // a rejection is for the await below
    started.catch(() => undefined);
    const first = ours;
    await until('both are connected', () => first.connected.length === 2);
    ours.look(0n, 0);
    await until('an election', () => first.outcome !== null);
    if (own === 3) {
      check('ours has the largest number', shown(ours), 'leading 3');
      // it cannot lead: they must notice, and go on alone
      await sleep(500);
      await ours.close();
    } else {
      check('theirs has the largest number', shown(ours), 'following 3');
    }
    await started;
    check('the one elected leads', await ensemble.modeOf(larger), 'leader');
    check('and the other follows', await ensemble.modeOf(smaller), 'follower');
    for (const sid of theirs) {
      const followed = /Peer state changed: following/.test(ensemble.servers.get(sid)?.log() ?? '');
      check(`whether ${sid} has followed`, followed, own === 3 || sid === smaller);
    }
    if (own !== 3) {
      // their leader begins its elections anew when it has taken over the configuration
      await until('both are connected', () => first.connected.length === 2);
      const changes = ours.told.length;
      await sleep(3000);
      check('connections that came and went meanwhile', ours.told.length, changes);
      await ours.close();
    }
    const client = await TestClient.connect(ensemble.servers.get(smaller) ?? raise('no server'));
    await client.create('/a', { data: 'history' });
    await client.close();

    ours = await Participant.start(own, ensemble.members);
    const late = ours;
    late.look(0n, 0);
    await until('the leader that there is', () => late.outcome !== null);
    check('late, it finds the leader', shown(late), `following ${larger}`);
    check('it has taken over the configuration', late.configVersion > 0n, true);
    await until('both are connected', () => late.connected.length === 2);

    await ensemble.servers.get(larger)?.kill('SIGKILL');
    await until('the connection is gone', () => late.connected.length === 1);
    late.look(0n, 0);
    await until('another leader', () => late.outcome !== null);
    check('history beats the number', shown(late), `following ${smaller}`);
    await until('they agree', () => {
      const log = ensemble.servers.get(smaller)?.log() ?? '';
      return /Peer state changed: leading/.test(log);
    });

    const again = ensemble.startApache(larger);
    again.catch(() => undefined);
    await until('it is connected again', () => late.connected.length === 2);
    await again;
    const modes = [await ensemble.modeOf(smaller), await ensemble.modeOf(larger)];
    check('there is a leader again', modes.sort(), ['follower', 'leader']);
  } finally {
    await ours?.close();
    await ensemble.dispose();
  }
}

function raise(message: string): never {
  throw new Error(message);
}

try {
  for (const own of sids) {
    await elect(own);
    console.log(`as server ${own}: ${tally.passed} passed so far`);
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed`);
} catch (error) {
  if (!(error instanceof MissingError)) throw error;
  console.log(`skipped: ${error.message}`);
}
process.exitCode = tally.failed === 0 ? 0 : 1;
