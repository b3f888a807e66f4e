/**
 * `node build/test/interop/recipes/queues.js [apache|zabra]…`: a TypeScript, a Java (Curator) and a Python
 * (kazoo) process put into and take from the queues that they share, at the same time: nothing is lost
 * and nothing comes twice. Beside that shared values, and nodes that stay, on Apache's server and on
 * Zabra's.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'zabra/client';
import { MissingError } from '../../support/machine.js';
import { startOracle } from '../../support/oracle.js';
import { startZabra } from '../../support/zabra-process.js';
import { Tally } from '../ensemble/tally.js';
import { Party } from './party.js';

const kinds = ['apache', 'zabra'] as const;
type Kind = (typeof kinds)[number];
const ITEMS = 60;

interface Stage {
  readonly hosts: string;
  readonly zk: Client;
  readonly tally: Tally;
}

/** A queue of two languages: each has a process that puts and one that takes. */
async function share(
  { hosts, zk, tally }: Stage,
  kind: string,
  start: (hosts: string) => Promise<Party>,
): Promise<void> {
  const path = `/queue-${kind}`;
  const ours = (): Promise<Party> => Party.typescript(hosts, 'queue-contender');
  const parties = await Promise.all([ours(), ours(), start(hosts), start(hosts)]);
  const [ourPuts, ourTakes, theirPuts, theirTakes] = parties;
  const what = `${kind}: TypeScript and ${theirPuts.name}`;
  try {
    const [ownPut, theirPut, ...taken] = await Promise.all([
      ourPuts.ask(`put ${path} ${kind} t ${ITEMS}`),
      theirPuts.ask(`put ${path} ${kind} o ${ITEMS}`),
      ourTakes.ask(`take ${path} ${kind}`),
      theirTakes.ask(`take ${path} ${kind}`),
    ]);
    tally.check(`${what}: all is put`, `${ownPut} ${theirPut}`, 'done done');
    const items = taken.flatMap((said) => (said === 'nothing' ? [] : said.split(',')));
    const wanted = ['t', 'o'].flatMap((prefix) =>
      Array.from({ length: ITEMS }, (_, i) => `${prefix}${i}`),
    );
    tally.check(`${what}: all is taken, once`, items.sort().join(), wanted.sort().join());
    const both = taken.every((said) => said !== 'nothing' && !said.startsWith('FAIL'));
    tally.check(`${what}: both have taken`, both, true);
    // one after the other now: theirs is ours to take, and ours is theirs
    await ourPuts.ask(`put ${path} ${kind} t 5`);
    const ourItems = await theirTakes.ask(`take ${path} ${kind}`);
    tally.check(`${what}: they take ours`, sorted(ourItems), 't0,t1,t2,t3,t4');
    await theirPuts.ask(`put ${path} ${kind} o 5`);
    const theirItems = await ourTakes.ask(`take ${path} ${kind}`);
    tally.check(`${what}: we take theirs`, sorted(theirItems), 'o0,o1,o2,o3,o4');
    const entries = kind === 'locking' ? `${path}/entries` : path;
    const left =
      (await zk.exists(entries)) === null ? [] : (await zk.getChildren(entries)).children;
    tally.none(`${what}: nothing is left`, left);
  } finally {
    for (const party of parties) await party.kill();
  }
}

function sorted(items: string): string {
  return items.split(',').sort().join();
}

async function values({ hosts, zk, tally }: Stage): Promise<void> {
  const parties = [
    await Party.typescript(hosts, 'queue-contender'),
    await Party.java(hosts, 'QueuesProgram'),
  ] as const;
  const [ours, java] = parties;
  try {
    const said = await Promise.all([ours.ask('value /v 50'), java.ask('value /v 50')]);
    tally.check('one shared value', said.join(), 'done,done');
    tally.check('every change counts', (await zk.getData('/v')).data.toString(), '100');

    await ours.ask('persist /p');
    await java.ask('persist /p-java');
    for (const path of ['/p', '/p-java']) {
      await zk.delete(path);
      tally.check(`${path} comes again`, await comes(zk, path, true), true);
    }
    // of one name: who is second waits, or takes it over
    await Promise.all([ours.ask('close /p'), java.ask('close /p-java')]);
    tally.check('closed, they are gone', (await zk.exists('/p')) ?? 'gone', 'gone');

    await Promise.all([ours.ask('ttl /ttl 600'), java.ask('ttl /ttl 600')]);
    await sleep(2000);
    const { children } = await zk.getChildren('/ttl');
    tally.check('one touched child for both', children.join(), 'touch');
    await java.ask('close /ttl');
    await sleep(2000);
    tally.check('either of them keeps it', (await zk.exists('/ttl')) !== null, true);
    await ours.ask('close /ttl');
    tally.check('without them it goes', await comes(zk, '/ttl', false), true);
  } finally {
    for (const party of parties) await party.kill();
  }
}

/** Whether it is there (or gone) within 20 seconds. */
async function comes(zk: Client, path: string, isThere: boolean): Promise<boolean> {
  for (let i = 0; i < 400; i++) {
    if (((await zk.exists(path)) !== null) === isThere) return true;
    await sleep(50);
  }
  return false;
}

async function scene(kind: Kind, tally: Tally): Promise<void> {
  tally.begin(kind);
  const options = {
    config: { tickTime: '500', 'znode.container.checkIntervalMs': '300' },
    properties: {
      'zookeeper.extendedTypesEnabled': 'true',
      'znode.container.checkIntervalMs': '300',
    },
  };
  const server =
    kind === 'apache' ? await startOracle('3.9.5', options) : await startZabra(options);
  const hosts = `${server.host}:${server.port}`;
  const zk = await new Client(hosts).connect();
  try {
    const stage = { hosts, zk, tally };
    const java = (at: string): Promise<Party> => Party.java(at, 'QueuesProgram');
    const python = (at: string): Promise<Party> => Party.python(at, 'queues_program');
    for (const one of ['simple', 'framed', 'priority', 'delay', 'locked']) {
      await share(stage, one, java);
    }
    for (const one of ['kazoo', 'locking']) await share(stage, one, python);
    await values(stage);
  } finally {
    await zk.close();
    await server.dispose();
  }
}

async function main(): Promise<void> {
  const tally = new Tally();
  const asked = process.argv.slice(2);
  for (const kind of kinds.filter((one) => asked.length === 0 || asked.includes(one))) {
    try {
      await scene(kind, tally);
    } catch (problem) {
      if (!(problem instanceof MissingError)) throw problem;
      console.log(`skip ${kind}: ${problem.message}`);
    }
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed`);
  if (tally.failed > 0) process.exitCode = 1;
}

await main();
