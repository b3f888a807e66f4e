/**
 * Apache's zkCli 3.9.5, whose `reconfig` is its ZooKeeperAdmin: what it prints for the commands of
 * membership, with an observer to let in and to take out.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kind } from '../../cluster/members.js';
import { classPath, javaProgramName } from '../../support/maven.js';
import { oracleJars, smallJvm } from '../../support/oracle.js';
import type { Tally } from '../ensemble/tally.js';
import { Story } from './story.js';
import { superUser, Town } from './town.js';

/** Prints one line that no other command prints: stands between the outputs of two commands. */
const separator = 'printwatches';

/** Servers 1 to 3 are the ensemble, 4 watches. */
export async function commandLines(
  kinds: readonly Kind[],
  tally: Tally,
): Promise<readonly string[]> {
  const town = new Town();
  const story = new Story(town, tally);
  let isWhole = false;
  try {
    for (const [index, kind] of kinds.entries()) await town.add(index + 1, kind);
    const members = [1, 2, 3].map((sid) => [sid, 'participant'] as const);
    for (const sid of [1, 2, 3]) town.settle(sid, members);
    town.settle(4, [...members, [4, 'observer']]);
    await Promise.all([1, 2, 3].map((sid) => town.start(sid)));
    await town.start(4);
    const file = join(town.home, 'members');
    const all = [1, 2, 3].map((sid) => town.lineOf(sid));
    writeFileSync(file, `${[...all, town.lineOf(4, 'observer')].join('\n')}\n`);
    const commands = [
      'reconfig -remove 3',
      `addauth digest ${superUser.name}:${superUser.secret}`,
      'config',
      'config -c',
      'config -s -w',
      `reconfig -add ${town.lineOf(4, 'observer')}`,
      'config',
      'reconfig -remove 4',
      `reconfig -s -add ${town.lineOf(4, 'observer')}`,
      'reconfig -v 77 -remove 4',
      `reconfig -members ${all.join()}`,
      `reconfig -file ${file}`,
      'reconfig -remove 1 -members x',
      'reconfig -add nonsense',
      'getAcl /zookeeper/config',
      'set /zookeeper/config mine',
      'quit',
    ];
    const printed = await transcriptOf(town, commands);
    for (const [index, command] of commands.slice(0, -1).entries()) {
      story.transcript.say(command, printed[index + 1] ?? '');
    }
    isWhole = true;
  } catch (error) {
    tally.none('the commands', [error instanceof Error ? (error.stack ?? '') : String(error)]);
  } finally {
    await town.dispose(!isWhole);
  }
  return story.transcript.lines;
}

async function transcriptOf(town: Town, commands: readonly string[]): Promise<string[]> {
  const file = join(town.home, 'zkcli');
  const output = openSync(file, 'w');
  const child = spawn(
    javaProgramName,
    [
      ...smallJvm,
      ...['-cp', classPath(await oracleJars('3.9.5'))],
      ...['org.apache.zookeeper.ZooKeeperMain', '-waitforconnection'],
      ...['-server', `127.0.0.1:${town.of(1).place.client}`],
    ],
    { stdio: ['pipe', output, output], env: { ...process.env, TERM: 'dumb' } },
  );
  closeSync(output);
  child.stdin?.end(`${separator}\n${commands.join(`\n${separator}\n`)}\n`);
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return readFileSync(file, 'utf8')
    .split(/printwatches is on\n/)
    .map(masked);
}

/** Without what differs from run to run: times, ids, prompts, events, the client's log. */
function masked(text: string): string {
  return text
    .split('\n')
    .map((line) =>
      line
        .replace(/\[zk: [^\]]*\] ?/g, '')
        .replace(/^((?:c|m)time = ).*/, '$1TIME')
        .replace(/0x[0-9a-f]{9,}/g, 'ZXID'),
    )
    .filter((line) => !/^$|^\tat |^\d\d:\d\d|^WATCHER::|jline|^WatchedEvent/.test(line))
    .join('\n');
}
