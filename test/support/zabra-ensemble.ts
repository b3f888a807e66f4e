/**
 * Three of our servers as one ensemble, with the face of a single one: the tests talk to the server
 * that has the wanted role, and do not know of the other two.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, temporaryDirectory } from './machine.js';
import type { ServerOptions, ServerProcess } from './server-process.js';
import { startZabra } from './zabra-process.js';

export type EnsembleRole = 'leader' | 'follower' | 'observer';

/** With equal histories the highest number leads. */
const sidOf: Readonly<Record<EnsembleRole, number>> = { leader: 3, follower: 1, observer: 1 };

export async function startZabraEnsemble(
  role: EnsembleRole,
  options: ServerOptions = {},
): Promise<ServerProcess> {
  const sids = role === 'observer' ? [1, 2, 3, 4] : [1, 2, 3];
  const workDir = temporaryDirectory('ensemble');
  const members: Record<string, string> = { initLimit: '10', syncLimit: '5' };
  const taken = new Set<number>();
  const nextPort = async (): Promise<number> => {
    let port = await freePort();
    while (taken.has(port)) port = await freePort();
    taken.add(port);
    return port;
  };
  for (const sid of sids) {
    const ports = `${await nextPort()}:${await nextPort()}`;
    const kind = role === 'observer' && sid === sidOf.observer ? ':observer' : '';
    members[`server.${sid}`] = `127.0.0.1:${ports}${kind}`;
  }
  const start = (sid: number): Promise<ServerProcess> => {
    const isOurs = sid === sidOf[role];
    const own = join(workDir, String(sid));
    const dataDir = isOurs ? (options.dataDir ?? own) : own;
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(join(dataDir, 'myid'), `${sid}\n`);
    // new servers: they vote before all others are there
    writeFileSync(join(dataDir, 'initialize'), '');
    const config = { ...options.config, ...members };
    if (isOurs) return startZabra({ ...options, config, dataDir });
    return startZabra({
      config: { ...config, 'admin.enableServer': 'false' },
      dataDir,
      properties: options.properties ?? {},
    });
  };
  // the first two that meet elect the one with the higher number; who comes later follows it
  const first = role === 'leader' ? [2, 3] : sids;
  const later = sids.filter((sid) => !first.includes(sid));
  const servers = await Promise.all(first.map(start));
  servers.push(...(await Promise.all(later.map(start))));
  const tested = servers[first.indexOf(sidOf[role])];
  if (tested === undefined) throw new Error('one of them is the one');
  return facing(
    tested,
    servers.filter((server) => server !== tested),
  );
}

/** The server itself; what ends it for good ends the others, too. */
function facing(tested: ServerProcess, others: readonly ServerProcess[]): ServerProcess {
  return {
    host: tested.host,
    port: tested.port,
    adminPort: tested.adminPort,
    pid: tested.pid,
    dataDir: tested.dataDir,
    exited: tested.exited,
    log: () => tested.log(),
    kill: (signal) => tested.kill(signal),
    stop: () => tested.stop(),
    willEnd: () => {
      tested.willEnd();
    },
    startAgain: async () => facing(await tested.startAgain(), others),
    dispose: async () => {
      await Promise.all([tested, ...others].map((server) => server.dispose()));
    },
  };
}
