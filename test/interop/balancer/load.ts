/**
 * The load generator through a balancer while each of three servers of ours is killed and comes back:
 * it may notice longer answers and nothing else.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { compilePrograms } from '../../../bench/programs.js';
import { Members } from '../../cluster/members.js';
import { MissingError } from '../../support/machine.js';
import { ZabraBalancer } from '../../support/zabra-balancer.js';
import type { Tally } from '../ensemble/tally.js';

const AWAY_MS = 500;
const CALM_MS = 1000;

export async function loadUnbroken(tally: Tally): Promise<void> {
  const programs = await compilePrograms();
  if (programs === null) throw new MissingError('no C compiler for the load generator');
  for (const mode of ['get', 'set']) {
    const members = await Members.prepare(['zabra', 'zabra', 'zabra'], { purpose: 'load' });
    try {
      await members.startAll();
      await members.untilAllServe();
      const servers = members.sids
        .map((sid) => members.addressOf(sid))
        .map(({ host, port }) => `${host}:${port}`);
      const balancer = await ZabraBalancer.start(servers);
      try {
        const target = { address: balancer.connectString, pids: [balancer.pid] };
        // ended by hand when the last server is back
        const load = programs.startLoad(target, {
          ...{ mode, connections: 16, outstanding: 4, seconds: 120, warmSeconds: 0 },
          parent: `/load-${mode}`,
        });
        const finished = load.finished.catch((error: unknown) => String(error));
        await sleep(CALM_MS);
        for (const sid of members.sids) {
          await members.end(sid, 'SIGKILL');
          await sleep(AWAY_MS);
          await members.start(sid);
          await members.untilAllServe();
          await sleep(CALM_MS);
        }
        load.end();
        const figures = await finished;
        if (typeof figures === 'string') tally.none(`${mode}: nobody notices`, [figures]);
        else {
          tally.check(`${mode}: disconnects`, figures.disconnects, 0);
          tally.check(`${mode}: errors`, figures.errors, 0);
          const operations = figures.operations.toLocaleString('en-US');
          console.log(`${mode}: ${operations} operations, the longest ${figures.maxUs / 1000} ms`);
        }
      } finally {
        await balancer.dispose();
      }
    } finally {
      await members.dispose();
    }
  }
}
