/**
 * Three servers with the face of one: what a program asks to have killed is whoever leads, and what
 * comes back a while later is that server. Meanwhile two serve. Before them a balancer, if wanted: then
 * a program knows only that one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Members, type Kind } from '../cluster/members.js';
import type { ServerOptions, ServerProcess } from '../support/server-process.js';
import { ZabraBalancer } from '../support/zabra-balancer.js';

/** How long the others are without it. */
const AWAY_MS = 2000;

export async function startEnsemble(options: ServerOptions): Promise<ServerProcess> {
  return facing(await started('zabra', options), null);
}

/** The programs meet a balancer before three of them. */
export async function startBalanced(kind: Kind, options: ServerOptions): Promise<ServerProcess> {
  const members = await started(kind, options);
  const servers = members.sids
    .map((sid) => members.addressOf(sid))
    .map(({ host, port }) => `${host}:${port}`);
  return facing(members, await ZabraBalancer.start(servers));
}

async function started(kind: Kind, options: ServerOptions): Promise<Members> {
  const config: Record<string, string> = {};
  for (const [key, value] of Object.entries(options.config ?? {})) {
    if (value !== null) config[key] = value;
  }
  const properties: Record<string, string> = {};
  for (const [key, value] of Object.entries(options.properties ?? {})) {
    if (value !== null) properties[key] = value;
  }
  const kinds = [kind, kind, kind];
  const members = await Members.prepare(kinds, { purpose: 'interop', config, properties });
  try {
    await members.startAll();
    await members.untilAllServe();
  } catch (error) {
    await members.dispose();
    throw error;
  }
  return members;
}

function facing(members: Members, balancer: ZabraBalancer | null): ServerProcess {
  let killed: number | null = null;
  const [first = 1] = members.sids;
  const server: ServerProcess = {
    ...(balancer === null ? members.addressOf(first) : { host: '127.0.0.1', port: balancer.port }),
    connectString:
      balancer?.connectString ??
      members.sids
        .map((sid) => members.addressOf(sid))
        .map(({ host, port }) => `${host}:${port}`)
        .join(','),
    adminPort: 0,
    pid: 0,
    dataDir: members.home,
    // the ensemble as a whole never ends by itself
    exited: new Promise(() => undefined),
    log: () => '',
    async kill(signal) {
      killed = await members.leader();
      await members.end(killed, 'SIGKILL');
      return { code: null, signal };
    },
    async stop() {
      await balancer?.dispose();
      await members.dispose();
      return { code: 0, signal: null };
    },
    willEnd: () => undefined,
    async startAgain() {
      if (killed === null) throw new Error('all servers still run');
      await sleep(AWAY_MS);
      await members.start(killed);
      killed = null;
      await members.untilAllServe();
      return server;
    },
    async dispose() {
      await balancer?.dispose();
      await members.dispose();
    },
  };
  return server;
}
