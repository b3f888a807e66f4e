/**
 * Both shells with `-r` at a server that has lost its quorum, Apache's and ours: what can be read is
 * read, what writes is refused in the same words. Without `-r` there is no session, and ours says why.
 * When the quorum is back, the shell that was left open writes.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Members, type Kind } from '../../cluster/members.js';
import { repositoryRoot } from '../../support/machine.js';
import type { Tally } from '../ensemble/tally.js';
import { transcriptOf, zabraShell, type Printed, type StartShell } from './transcript.js';

const home = 1;
const others = [2, 3];

const commands: readonly string[] = [
  'ls /',
  'ls -s /a',
  'ls -R /a',
  'get /a',
  'get -s /a',
  'stat /a',
  'get /nosuch',
  'getAcl -s /a',
  'getAllChildrenNumber /a',
  'getEphemerals',
  'listquota /a',
  'config',
  'whoami',
  'addauth digest a:b',
  'whoami',
  'get -w /a',
  'addWatch /a',
  'removewatches /a',
  'sync /a',
  'create /new x',
  'create -e /new x',
  'create -s /a/s- x',
  'create -c /new',
  'create /nosuch/new x',
  'set /a y',
  'set /nosuch y',
  'set /a y -v 7',
  'setAcl /a world:anyone:r',
  'delete /a/b',
  'delete /a',
  'deleteall /a',
  'setquota -n 3 /a',
  'delquota /a',
  'reconfig -remove 3',
  'get /a',
  'ls /',
];

export type Unexplained = (command: string, theirs: Printed, ours: Printed) => string[];

export async function checkReadOnly(
  apache: StartShell,
  tally: Tally,
  unexplained: Unexplained,
): Promise<void> {
  for (const kind of ['apache', 'zabra'] as const) {
    tally.begin(`read-only, ${kind}`);
    const members = await prepare(kind);
    try {
      await withoutQuorum(members, tally, apache, unexplained);
    } finally {
      await members.dispose();
    }
  }
}

async function prepare(kind: Kind): Promise<Members> {
  return await Members.prepare([kind, kind, kind], {
    purpose: 'shell-readonly',
    // without them Apache's does not know the sessions that it begins there
    config: { localSessionsEnabled: 'true', localSessionsUpgradingEnabled: 'true' },
    properties: { 'readonlymode.enabled': 'true' },
  });
}

async function withoutQuorum(
  members: Members,
  tally: Tally,
  apache: StartShell,
  unexplained: Unexplained,
): Promise<void> {
  await members.startAll(others);
  await members.start(home);
  await members.untilAllServe();
  const { host, port } = members.addressOf(home);
  const address = `${host}:${port}`;
  const made = 'create /a before\ncreate /a/b child\n';
  tally.check('znodes', (await zabraShell(['-server', address], made)).exitCode, 0);
  await Promise.all(others.map((sid) => members.end(sid)));
  await untilIsro(members, 'ro');

  // Apache's -waitforconnection waits for a server that writes
  const theirs = await transcriptOf(apache, ['-r', '-server', address], commands);
  const ours = await transcriptOf(
    zabraShell,
    ['-waitforconnection', '-r', '-server', address],
    commands,
  );
  for (const [index, command] of commands.entries()) {
    const nothing = { out: [], err: [] };
    const [their, our] = [theirs.printed[index] ?? nothing, ours.printed[index] ?? nothing];
    tally.none(`${index} ${command}`, unexplained(command, their, our));
  }
  const text = (part: keyof Printed): string =>
    ours.printed.flatMap((printed) => printed[part]).join('\n');
  tally.check('something was read', /^before$/m.test(text('out')), true);
  tally.check('something was refused', /^Not a read-only call: \/new$/m.test(text('err')), true);

  const read = await zabraShell(['-r', '-server', address, 'get', '/a'], '');
  tally.check('one command', [read.exitCode, read.out].join(' '), '0 before\n');
  const write = await zabraShell(['-r', '-server', address, 'set', '/a', 'x'], '');
  tally.check('one command that writes', write.exitCode, 1);
  tally.check('why it is refused', /no quorum/.test(write.err), true);
  const refused = await zabraShell(['-server', address, 'get', '/a'], '');
  tally.check('without -r', [refused.exitCode, refused.out].join(' '), '1 ');
  tally.check('without -r it says what helps', /^ {2}.*reads only.* -r /m.test(refused.err), true);
  await quorumAgain(members, address, tally);
}

/** A shell that was opened at the server on its own goes on when it is not any more. */
async function quorumAgain(members: Members, address: string, tally: Tally): Promise<void> {
  const shell = spawn(join(repositoryRoot, 'bin', 'zkCli.sh'), ['-r', '-server', address], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ZABRA_HISTORY: '' },
  });
  let said = '';
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  }
  shell.stdin.on('error', () => undefined);
  const ended = new Promise<number | null>((resolve) => shell.once('close', resolve));
  const heard = async (what: RegExp, ask: string): Promise<boolean> => {
    for (let i = 0; i < 150 && shell.exitCode === null; i++) {
      if (ask !== '') shell.stdin.write(`${ask}\n`);
      await sleep(200);
      if (what.test(said)) return true;
    }
    console.log(said);
    return false;
  };
  try {
    tally.check('it reads', await heard(/^before$/m, 'get /a'), true);
    await members.start(2);
    await untilIsro(members, 'rw');
    tally.check('with a quorum it writes', await heard(/^after$/m, 'set /a after\nget /a'), true);
  } finally {
    shell.stdin.end('quit\n');
    const timer = setTimeout(() => shell.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  }
}

async function untilIsro(members: Members, wanted: string): Promise<void> {
  const endMs = Date.now() + 60_000;
  while ((await members.word(home, 'isro')) !== wanted) {
    if (Date.now() > endMs) throw new Error(`isro does not become ${wanted}`);
    await sleep(50);
  }
}
