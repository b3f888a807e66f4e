/**
 * `node build/test/interop/readonly/main.js [script|java|kazoo…]`: read-only mode (`readonlymode.enabled`) of an
 * ensemble that has lost two servers of three. `script` has the same conversation with Apache's servers
 * and with ours and compares them line by line; `java` and `kazoo` are Apache's Java client with
 * `canBeReadOnly` and kazoo with `read_only=True`, against both.
 */
import { join } from 'node:path';
import { Members, type Kind } from '../../cluster/members.js';
import { MissingError, repositoryRoot } from '../../support/machine.js';
import { classPath, javaProgramName, requireJava } from '../../support/maven.js';
import { oracleJars, smallJvm } from '../../support/oracle.js';
import { Tally } from '../ensemble/tally.js';
import { converse, type Interop } from '../program.js';
import { compiled } from '../programs/java.js';
import { installKazoo } from '../programs/kazoo.js';
import { ReadOnlyScript } from './script.js';

const kinds: readonly Kind[] = ['apache', 'zabra'];

async function prepare(kind: Kind, config: Readonly<Record<string, string>>): Promise<Members> {
  return await Members.prepare([kind, kind, kind], {
    purpose: 'readonly',
    config,
    properties: { 'readonlymode.enabled': 'true' },
  });
}

const localSessions = { localSessionsEnabled: 'true', localSessionsUpgradingEnabled: 'true' };

/** The same with both kinds of server; then with ours alone, where Apache's needs local sessions. */
async function script(tally: Tally): Promise<void> {
  const transcripts: (readonly string[])[] = [];
  for (const kind of kinds) transcripts.push(await transcribe(kind, localSessions));
  const [theirs = [], ours = []] = transcripts;
  compare(tally, theirs, ours);
  tally.begin('without local sessions');
  const without = await transcribe('zabra', {});
  // every session of before is then one of the ensemble's, and cannot be judged without it
  const expected = ours.map((line) => {
    const [what = ''] = line.split(':');
    return ['the local session of before', 'a wrong password'].includes(what)
      ? `${what}: closed`
      : line;
  });
  compare(tally, expected, without);
}

async function transcribe(
  kind: Kind,
  config: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const members = await prepare(kind, config);
  const script = new ReadOnlyScript(members);
  try {
    return await script.run();
  } catch (error) {
    console.log(script.lines.join('\n'));
    throw error;
  } finally {
    await members.dispose();
  }
}

function compare(tally: Tally, theirs: readonly string[], ours: readonly string[]): void {
  for (let i = 0; i < Math.max(theirs.length, ours.length); i++) {
    tally.check(`line ${i + 1}`, ours[i] ?? '(nothing)', theirs[i] ?? '(nothing)');
  }
}

/** A program that asks, by the line `restart`, for two servers to go, and the next time to come back. */
async function program(
  tally: Tally,
  kind: Kind,
  run: (interop: Interop, hosts: string, restart: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const members = await prepare(kind, localSessions);
  const interop: Interop = {
    target: kind,
    start: () => Promise.reject(new Error('the servers run already')),
    startApache: () => Promise.reject(new Error('the servers run already')),
    passed: (what) => {
      tally.none(what, []);
    },
    failed: (what, why) => {
      tally.none(what, [why]);
    },
  };
  try {
    await members.startAll([2, 3]);
    await members.start(1);
    await members.untilAllServe();
    const hosts = members.sids.map((sid) => `127.0.0.1:${members.addressOf(sid).port}`).join(',');
    let isAlone = false;
    await run(interop, hosts, async () => {
      isAlone = !isAlone;
      if (isAlone) await Promise.all([2, 3].map((sid) => members.end(sid)));
      else await members.startAll([2, 3]);
    });
  } finally {
    await members.dispose();
  }
}

async function java(tally: Tally, kind: Kind): Promise<void> {
  const lib = await oracleJars('3.9.5');
  const classes = await compiled('ReadOnlyProgram', lib);
  await program(tally, kind, async (interop, hosts, restart) => {
    await converse(interop, {
      program: javaProgramName,
      args: [...smallJvm, '-cp', classPath(lib, classes), 'ReadOnlyProgram', hosts],
      timeoutMs: 120_000,
      restart,
    });
  });
}

async function kazoo(tally: Tally, kind: Kind): Promise<void> {
  const python = await installKazoo();
  const source = join(repositoryRoot, 'test', 'interop', 'python', 'read_only_program.py');
  await program(tally, kind, async (interop, hosts, restart) => {
    await converse(interop, {
      program: python,
      args: ['-u', source, hosts],
      timeoutMs: 120_000,
      restart,
    });
  });
}

async function main(): Promise<number> {
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : ['script', 'java', 'kazoo'];
  const tally = new Tally();
  let skipped = 0;
  for (const name of wanted) {
    const startedMs = Date.now();
    try {
      await requireJava();
      tally.begin(name);
      if (name === 'script') await script(tally);
      else {
        for (const kind of kinds) {
          tally.begin(`${name} with ${kind}`);
          await (name === 'java' ? java : kazoo)(tally, kind);
        }
      }
    } catch (error) {
      if (!(error instanceof MissingError)) throw error;
      skipped++;
      console.log(`skip: ${error.message}`);
    }
    console.log(`${name}: ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
