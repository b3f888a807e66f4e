/**
 * `node build/test/clients/main.js [target …] [--grep text]`: one suite for the client, against every
 * kind of server that it promises to work with. A target that this machine cannot start is skipped,
 * saying so. Ends with `N passed, N failed`.
 */
import { parseArgs } from 'node:util';
import { Client } from 'zabra/client';
import { MissingError } from '../support/machine.js';
import { connectionCases } from './connection-cases.js';
import { operationCases } from './operation-cases.js';
import type { Case, Scene } from './suite.js';
import { targets, type Running, type Target } from './targets.js';
import { watchCases } from './watch-cases.js';

const cases: readonly Case[] = [...operationCases, ...watchCases, ...connectionCases];
const CASE_MS_MAX = 60_000;
const tally = { passed: 0, failed: 0, skipped: 0 };

function whySkipped({ since, needsEnsemble, needsOne }: Case, target: Target): string | null {
  if (needsEnsemble === true && target.servers === 1) return 'needs three servers';
  if (needsOne === true && target.servers === 3) return 'there is more than one server';
  if (since === undefined) return null;
  const [major, minor] = target.release;
  const isThere = major > since[0] || (major === since[0] && minor >= since[1]);
  return isThere ? null : `servers have it since ${since.join('.')}`;
}

async function runCase(one: Case, target: Target, running: Running, path: string): Promise<void> {
  const clients: Client[] = [];
  const adopt: Scene['adopt'] = (made) => {
    clients.push(made);
    return made;
  };
  const client: Scene['client'] = async ({ root = '', ...options } = {}) => {
    return await adopt(new Client(running.connectString + root, options)).connect();
  };
  const scene: Scene = { target, running, path, client, adopt };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${CASE_MS_MAX} ms`)), CASE_MS_MAX);
  });
  try {
    const first = await client();
    await first.create(path);
    await Promise.race([one.run(scene), late]);
  } finally {
    clearTimeout(timer);
    await Promise.all(clients.map((each) => each.close()));
  }
}

async function runTarget(target: Target, isWanted: (one: Case) => boolean): Promise<void> {
  let running: Running;
  try {
    running = await target.start();
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    console.log(`${target.name}: skipped: ${error.message}`);
    tally.skipped += cases.length;
    return;
  }
  const began = Date.now();
  let number = 0;
  try {
    for (const one of cases.filter(isWanted)) {
      const why = whySkipped(one, target);
      if (why !== null) {
        tally.skipped++;
        continue;
      }
      try {
        await runCase(one, target, running, `/case-${++number}`);
        tally.passed++;
      } catch (error) {
        tally.failed++;
        console.log(
          `FAIL ${target.name} > ${one.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
      }
    }
  } finally {
    await running.dispose();
  }
  console.log(`${target.name}: ${number} cases, ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { grep: { type: 'string', default: '' } },
});
const wanted = targets.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
for (const target of wanted) await runTarget(target, ({ name }) => name.includes(values.grep));
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
process.exitCode = tally.failed === 0 && tally.passed > 0 ? 0 : 1;
