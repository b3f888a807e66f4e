/**
 * `node build/test/interop/recipes/main.js [apache|zabra]…`: a TypeScript, a Java (Curator) and a Python
 * (kazoo) process use one lock, one semaphore, one election, one of each recipe that they share, on
 * Apache's server and on Zabra's. What they do inside is counted without any protection of its own.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'zabra/client';
import { Barrier, Lock } from 'zabra/recipes';
import { MissingError } from '../../support/machine.js';
import { startOracle } from '../../support/oracle.js';
import { startZabra } from '../../support/zabra-process.js';
import { Tally } from '../ensemble/tally.js';
import { Party } from './party.js';

const kinds = ['apache', 'zabra'] as const;
type Kind = (typeof kinds)[number];
const ROUNDS = 25;

interface Stage {
  readonly zk: Client;
  readonly ours: Party;
  readonly java: Party;
  readonly python: Party;
  readonly tally: Tally;
}

/** Each is asked at once; whoever answers anything but `done` has found something wrong. */
async function together(
  tally: Tally,
  what: string,
  asked: readonly (readonly [Party, string])[],
): Promise<void> {
  const answers = await Promise.all(
    asked.map(async ([party, command]) => `${party.name}: ${await party.ask(command)}`),
  );
  tally.none(
    what,
    answers.filter((answer) => !answer.endsWith(': done')),
  );
}

/** They take turns `ROUNDS` times each, and nobody is ever inside with another. */
async function contend(
  { zk, tally }: Stage,
  what: string,
  path: string,
  asked: readonly (readonly [Party, string])[],
): Promise<void> {
  await zk.create(`${path}-sum`, '0', { makePath: true });
  const commands = asked.map(([party, command]) => [party, command] as const);
  await together(tally, what, commands);
  const sum = (await zk.getData(`${path}-sum`)).data.toString();
  const counted = asked.filter(([, command]) => !command.startsWith('read'));
  tally.check(`${what}: every turn counts`, sum, ROUNDS * counted.length);
}

async function locks(stage: Stage): Promise<void> {
  const { ours, java, python } = stage;
  await contend(stage, 'one lock of three languages', '/lock-three', [
    [ours, `lock /lock-three ${ROUNDS} curator`],
    [java, `lock /lock-three ${ROUNDS}`],
    [python, `lock /lock-three ${ROUNDS}`],
  ]);
  await contend(stage, 'one lock in the layout of go', '/lock-go', [
    [ours, `lock /lock-go ${ROUNDS} go`],
    [java, `lock /lock-go ${ROUNDS}`],
  ]);
  await contend(stage, "one lock in kazoo's own layout", '/lock-kazoo', [
    [ours, `lock /lock-kazoo ${ROUNDS} kazoo`],
    [python, `plainlock /lock-kazoo ${ROUNDS}`],
  ]);
  await contend(stage, 'writers with Curator', '/rw-java', [
    [ours, `write /rw-java ${ROUNDS}`],
    [java, `write /rw-java ${ROUNDS}`],
  ]);
  await contend(stage, 'readers and writers of Curator', '/rw-java-2', [
    [ours, `read /rw-java-2 ${ROUNDS}`],
    [java, `write /rw-java-2 ${ROUNDS}`],
  ]);
  await contend(stage, 'readers of Curator and writers', '/rw-java-3', [
    [ours, `write /rw-java-3 ${ROUNDS}`],
    [java, `read /rw-java-3 ${ROUNDS}`],
  ]);
  await contend(stage, 'readers and writers of kazoo', '/rw-python', [
    [ours, `read /rw-python ${ROUNDS} kazoo`],
    [python, `write /rw-python ${ROUNDS}`],
  ]);
  await contend(stage, 'readers of kazoo and writers', '/rw-python-2', [
    [ours, `write /rw-python-2 ${ROUNDS} kazoo`],
    [python, `read /rw-python-2 ${ROUNDS}`],
  ]);
}

async function semaphores({ zk, ours, java, python, tally }: Stage): Promise<void> {
  for (const path of ['/sem-java', '/sem-python']) await zk.create(`${path}-inside`);
  await together(tally, 'one semaphore with Curator', [
    [ours, `semaphore /sem-java ${ROUNDS} 1`],
    [java, `semaphore /sem-java ${ROUNDS} 1`],
  ]);
  await together(tally, 'one semaphore with kazoo', [
    [ours, `semaphore /sem-python ${ROUNDS} 1 kazoo`],
    [python, `semaphore /sem-python ${ROUNDS} 1`],
  ]);
}

async function leaders(stage: Stage): Promise<void> {
  const { ours, java, python } = stage;
  await contend(stage, 'one latch with Curator', '/latch', [
    [ours, `latch /latch ${ROUNDS}`],
    [java, `latch /latch ${ROUNDS}`],
  ]);
  await contend(stage, 'one election of three languages', '/election', [
    [ours, `election /election ${ROUNDS}`],
    [java, `election /election ${ROUNDS}`],
    [python, `election /election ${ROUNDS}`],
  ]);
  await contend(stage, "one election in kazoo's own layout", '/election-kazoo', [
    [ours, `election /election-kazoo ${ROUNDS} kazoo`],
    [python, `plainelection /election-kazoo ${ROUNDS}`],
  ]);
}

async function numbers({ zk, ours, java, python, tally }: Stage): Promise<void> {
  await together(tally, 'one counter with Curator', [
    [ours, `count /count-java ${ROUNDS} int64`],
    [java, `count /count-java ${ROUNDS}`],
  ]);
  const { data } = await zk.getData('/count-java');
  tally.check('every increment counts once', data.readBigInt64BE(), 2 * ROUNDS);
  await together(tally, 'one counter with kazoo', [
    [ours, `count /count-python ${ROUNDS} decimal`],
    [python, `count /count-python ${ROUNDS}`],
  ]);
  tally.check('and there too', (await zk.getData('/count-python')).data, 2 * ROUNDS);
}

async function gatherings({ zk, ours, java, python, tally }: Stage): Promise<void> {
  const barrier = new Barrier(zk, '/barrier');
  await barrier.set();
  const waiting = together(tally, 'one barrier for all', [
    [ours, 'barrier /barrier'],
    [java, 'barrier /barrier'],
    [python, 'barrier /barrier'],
  ]);
  await sleep(100);
  await barrier.remove();
  await waiting;
  await zk.create('/double-inside');
  await together(tally, 'one double barrier with Curator', [
    [ours, 'double /double 2'],
    [java, 'double /double 2'],
  ]);
  await groups({ zk, ours, java, python, tally });
}

async function groups({ ours, java, python, tally }: Stage): Promise<void> {
  for (const [other, name, path, join, layout] of [
    [java, 'java', '/group-java', 'join /group-java', 'curator'],
    [python, 'python', '/group-party', 'join /group-party party', 'kazoo'],
    [python, 'python', '/group-shallow', 'join /group-shallow shallow', 'kazoo-shallow'],
  ] as const) {
    await other.ask(join);
    await ours.ask(`join ${path} ${layout}`);
    const wanted = `${name},typescript`;
    await until(tally, `we see ${name} (${layout})`, wanted, () => ours.ask(`members ${path}`));
    await until(tally, `${name} sees us (${layout})`, wanted, () => other.ask(`members ${path}`));
    await other.ask(`leave ${path}`);
    await until(tally, `${name} leaves (${layout})`, 'typescript', () =>
      ours.ask(`members ${path}`),
    );
    await ours.ask(`leave ${path}`);
  }
}

async function until(
  tally: Tally,
  what: string,
  wanted: string,
  ask: () => Promise<string>,
): Promise<void> {
  let said = '';
  for (let i = 0; i < 200 && said !== wanted; i++) {
    said = await ask();
    if (said !== wanted) await sleep(50);
  }
  tally.check(what, said, wanted);
}

async function leases({ ours, python, tally }: Stage): Promise<void> {
  tally.check('kazoo takes a lease', await python.ask('lease /lease 2'), 'yes');
  tally.check('we do not', await ours.ask('lease /lease 2'), 'no');
  tally.check('it renews', await python.ask('lease /lease 2'), 'yes');
  await until(tally, 'we take it when it is over', 'yes', () => ours.ask('lease /lease 2'));
  tally.check('then kazoo does not', await python.ask('lease /lease 2'), 'no');
  await until(tally, 'until it is over', 'yes', () => python.ask('lease /lease 1'));
}

async function revocation({ zk, java, tally }: Stage): Promise<void> {
  const lock = new Lock(zk, '/revoked');
  let tell = (): void => undefined;
  const revoked = new Promise<void>((resolve) => (tell = resolve));
  const hold = await lock.acquire({ onRevoke: () => tell() });
  await java.ask(`revoke ${hold.path}`);
  await revoked;
  tally.check("Curator's Revoker is heard", hold.signal.aborted, false);
  await hold.release();
}

async function scene(kind: Kind, tally: Tally): Promise<void> {
  tally.begin(kind);
  const config = { config: { tickTime: '500' } };
  const server = kind === 'apache' ? await startOracle('3.9.5', config) : await startZabra(config);
  const hosts = `${server.host}:${server.port}`;
  const zk = await new Client(hosts).connect();
  const parties: Party[] = [];
  try {
    const [ours, java, python] = await Promise.all([
      Party.typescript(hosts),
      Party.java(hosts),
      Party.python(hosts),
    ]);
    parties.push(ours, java, python);
    const stage = { zk, ours, java, python, tally };
    await locks(stage);
    await semaphores(stage);
    await leaders(stage);
    await numbers(stage);
    await gatherings(stage);
    await leases(stage);
    await revocation(stage);
  } finally {
    for (const party of parties) await party.kill();
    await zk.close();
    await server.dispose();
  }
}

async function main(): Promise<void> {
  const tally = new Tally();
  const asked = process.argv.slice(2);
  const chosen = kinds.filter((kind) => asked.length === 0 || asked.includes(kind));
  for (const kind of chosen) {
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
