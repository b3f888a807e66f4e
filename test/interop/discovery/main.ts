/**
 * `node build/test/interop/discovery/main.js [apache|zabra]…`: services registered by Curator are found
 * by ours and the other way round, in one registry: Apache's server and Zabra's.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'zabra/client';
import { LoadBalancer, ZkRegistry, type ServiceInstance } from 'zabra/discovery';
import { MissingError } from '../../support/machine.js';
import { startOracle } from '../../support/oracle.js';
import { startZabra } from '../../support/zabra-process.js';
import { Tally } from '../ensemble/tally.js';
import { Party } from '../recipes/party.js';

const kinds = ['apache', 'zabra'] as const;
type Kind = (typeof kinds)[number];

/** What is found in the end, or the last that was: changes take a moment. */
async function eventually<T>(find: () => T | Promise<T>, isIt: (found: T) => boolean): Promise<T> {
  for (let i = 0; ; i++) {
    const found = await find();
    if (isIt(found) || i === 300) return found;
    await sleep(50);
  }
}

async function expect(
  tally: Tally,
  what: string,
  wanted: string,
  find: () => string | Promise<string>,
): Promise<void> {
  tally.check(what, await eventually(find, (found) => found === wanted), wanted);
}

function describe(instances: readonly ServiceInstance[]): string {
  return instances
    .map(({ id, host, port, weight, health }) => `${id}@${host}:${port} ${weight} ${health}`)
    .sort()
    .join(', ');
}

async function curatorRegisters(curator: Party, registry: ZkRegistry, tally: Tally) {
  const plain = new LoadBalancer({ registry, service: 'plain' });
  const rich = new LoadBalancer({ registry, service: 'rich' });
  await Promise.all([plain.start(), rich.start()]);
  const seen = (): string => describe(plain.instances);

  tally.check('it registers', await curator.ask('register-plain j1 8001'), 'done');
  await expect(tally, 'its instance is found', 'j1@10.0.0.1:8001 1 up', seen);
  const [first] = plain.instances;
  tally.check('with its TLS port', first?.sslPort, 8002);
  tally.check('with its uriSpec', first?.uriTemplate, '{scheme}://{address}:{port}/{name}');
  tally.check('with its time', Math.abs((first?.registeredMs ?? 0) - Date.now()) < 60_000, true);

  await curator.ask('register-plain j2 8003');
  await expect(tally, 'a second one comes', 'j1@10.0.0.1:8001 1 up, j2@10.0.0.1:8003 1 up', seen);
  await curator.ask('disable j1');
  await expect(
    tally,
    'one that is disabled drains',
    'j1@10.0.0.1:8001 1 draining, j2@10.0.0.1:8003 1 up',
    seen,
  );
  for (let i = 0; i < 5; i++) {
    tally.check('and gets nothing', await plain.send({}, ({ id }) => id), 'j2');
  }
  await curator.ask('unregister j1');
  await expect(tally, 'one that is unregistered goes', 'j2@10.0.0.1:8003 1 up', seen);

  await curator.ask('register-rich j3 9001 7');
  await expect(tally, 'a payload carries the weight', 'j3@10.0.0.2:9001 7 up', () =>
    describe(rich.instances),
  );
  tally.check('and metadata', rich.instances[0]?.metadata['zone'], 'b');
  await Promise.all([plain.close(), rich.close()]);
}

async function weRegister(curator: Party, registry: ZkRegistry, tally: Tally) {
  const spec = { service: 'plain', host: '10.1.0.1', port: 80, sslPort: 443 };
  const one = await registry.register({
    ...{ ...spec, id: 'z1' },
    uriTemplate: '{scheme}://{address}:{port}/z',
  });
  const z1 = (state: string): string => `plain/z1@10.1.0.1:80:443 DYNAMIC ${state} -`;
  const j2 = 'plain/j2@10.0.0.1:8003:8004 DYNAMIC on -';
  await expect(tally, 'Curator finds ours', `[${j2}, ${z1('on')}]`, () => curator.ask('plain'));
  await expect(tally, 'its cache does', `[${j2}, ${z1('on')}]`, () => curator.ask('cache'));
  tally.check('it builds the URI', await curator.ask('uri z1'), 'https://10.1.0.1:80/z');
  tally.check('it knows the names', await curator.ask('names'), '[plain, rich]');

  await curator.ask('unregister j2');
  await expect(tally, 'its provider gives ours', 'z1', () => curator.ask('provide'));
  const two = await registry.register({
    ...{ service: 'rich', id: 'z2', host: '10.1.0.2', port: 81, weight: 5 },
    metadata: { zone: 'c' },
  });
  await expect(
    tally,
    'it reads our weight and metadata',
    '[rich/j3@10.0.0.2:9001:null DYNAMIC on 7/{zone=b}, ' +
      'rich/z2@10.1.0.2:81:null DYNAMIC on 5/{zone=c}]',
    () => curator.ask('rich'),
  );
  await two.update({ health: 'draining' });
  await expect(tally, 'it sees that ours drains', 'off', async () =>
    (await curator.ask('rich')).includes('z2@10.1.0.2:81:null DYNAMIC off') ? 'off' : 'on',
  );
  await one.unregister();
  await expect(tally, 'it sees that ours goes', '[]', () => curator.ask('plain'));
  await two.unregister();
}

async function curatorDies(curator: Party, registry: ZkRegistry, tally: Tally) {
  await curator.ask('register-plain j4 8005');
  await registry.register({ service: 'plain', id: 'z4', host: '10.1.0.4', port: 80 });
  const lb = new LoadBalancer({ registry, service: 'plain' });
  await lb.start();
  const ids = (): string =>
    lb.instances
      .map(({ id }) => id)
      .sort()
      .join(' ');
  await expect(tally, 'both are there', 'j4 z4', ids);
  await curator.kill();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      lb.send({}, ({ id }) => {
        if (id === 'j4') throw new Error('it is dead');
        return id;
      }),
    ),
  );
  tally.check('requests go to the other one', new Set(answers).size, 1);
  await expect(tally, 'its instance goes with its session', 'z4', ids);
  await lb.close();
}

async function run(kind: Kind, tally: Tally): Promise<void> {
  tally.begin(kind);
  const config = { config: { tickTime: '500' } };
  const server = await (kind === 'apache' ? startOracle('3.9.5', config) : startZabra(config));
  const connectString = `${server.host}:${server.port}`;
  const zk = new Client(connectString, { sessionTimeoutMs: 6_000 });
  let curator: Party | null = null;
  try {
    curator = await Party.java(connectString, 'DiscoveryProgram');
    await zk.connect();
    const registry = new ZkRegistry(zk);
    await curatorRegisters(curator, registry, tally);
    await weRegister(curator, registry, tally);
    await curatorDies(curator, registry, tally);
  } finally {
    await curator?.kill();
    await zk.close();
    await server.dispose();
  }
}

async function main(): Promise<number> {
  const chosen = process.argv.slice(2);
  const unknown = chosen.filter((name) => !kinds.some((kind) => kind === name));
  if (unknown.length > 0) {
    console.error(`usage: main.js [${kinds.join('|')}]…`);
    return 2;
  }
  const tally = new Tally();
  for (const kind of kinds) {
    if (chosen.length > 0 && !chosen.includes(kind)) continue;
    try {
      await run(kind, tally);
    } catch (error) {
      if (error instanceof MissingError) {
        console.log(`skip ${kind}: ${error.message}`);
        continue;
      }
      tally.none('it runs', [error instanceof Error ? (error.stack ?? '') : String(error)]);
    }
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
