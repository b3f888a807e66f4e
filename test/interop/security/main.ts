/**
 * `node build/test/interop/security/main.js [rounds|java|kazoo|ours …]`: SASL (DIGEST-MD5) and TLS with client
 * certificates. Apache's Java client, kazoo and our client against Apache's server and ours, all with the same
 * checks; and what the two servers answer to rounds of SASL that go wrong, line by line.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  cacheDirectory,
  hasProgram,
  MissingError,
  repositoryRoot,
  runOrThrow,
  underLock,
} from '../../support/machine.js';
import { classPath } from '../../support/maven.js';
import { oracleJars, smallJvm } from '../../support/oracle.js';
import { Tally } from '../ensemble/tally.js';
import { converse, type Interop } from '../program.js';
import { compiled } from '../programs/java.js';
import { OurClient } from './our-client.js';
import { policies, roundsOf } from './rounds.js';
import { certificates, startSecure, type Kind, type SecureServer } from './servers.js';

const versions = ['kazoo==2.11.0', 'pure-sasl==0.6.2'];

/** Reports of a program as checks. */
function reportTo(tally: Tally): Interop {
  const none = (): Promise<never> => Promise.reject(new Error('the server runs already'));
  return {
    ...{ target: '', start: none, startApache: none },
    passed: (what) => tally.none(what, []),
    failed: (what, why) => tally.none(what, [why]),
  };
}

async function java(server: SecureServer, tally: Tally): Promise<void> {
  const lib = await oracleJars('3.9.5');
  const classes = await compiled('SecurityProgram', lib);
  await converse(reportTo(tally), {
    program: 'java',
    args: [
      ...smallJvm,
      `-Djava.security.auth.login.config=${server.clientLogins}`,
      ...['-cp', classPath(lib, classes), 'SecurityProgram'],
      ...[server.plain, server.secure, certificates],
    ],
    timeoutMs: 120_000,
  });
}

async function installKazoo(): Promise<string> {
  const home = join(cacheDirectory, 'interop', `kazoo-${versions.join('-')}`);
  const python = join(home, 'bin', 'python3');
  const done = join(home, 'installed');
  if (existsSync(done)) return python;
  if (!(await hasProgram('python3', '-m', 'venv', '--help'))) throw new MissingError('no Python');
  await underLock('kazoo-security', async () => {
    if (existsSync(done)) return;
    rmSync(home, { recursive: true, force: true });
    await runOrThrow('python3', ['-m', 'venv', home]);
    await runOrThrow(python, ['-m', 'pip', '--quiet', 'install', ...versions]);
    await runOrThrow('cp', [join(home, 'pyvenv.cfg'), `${done}.part`]);
    renameSync(`${done}.part`, done);
  });
  return python;
}

async function kazoo(server: SecureServer, tally: Tally): Promise<void> {
  const program = await installKazoo();
  const script = join(repositoryRoot, 'test', 'interop', 'python', 'security_program.py');
  await converse(reportTo(tally), {
    program,
    args: ['-u', script, server.plain, server.secure, certificates],
    timeoutMs: 120_000,
  });
}

/** Last: it kills its server. */
async function ours(server: SecureServer, tally: Tally): Promise<void> {
  const client = new OurClient(server, tally);
  await client.run();
  await client.dispose();
}

async function rounds(tally: Tally): Promise<void> {
  for (const policy of Object.keys(policies)) {
    tally.begin(`rounds: ${policy}`);
    const [theirs, found] = await Promise.all([
      roundsOf('apache', policy),
      roundsOf('zabra', policy),
    ]);
    for (const [index, wanted] of theirs.entries())
      tally.check(`line ${index + 1}`, found[index], wanted);
    if (process.argv.includes('--print')) console.log([policy, ...theirs].join('\n  '));
  }
}

const clients = { java, kazoo, ours };

async function main(): Promise<number> {
  const named = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  const isWanted = (name: string): boolean => named.length === 0 || named.includes(name);
  const tally = new Tally();
  let skipped = 0;
  const run = async (name: string, part: () => Promise<void>): Promise<void> => {
    const startedMs = Date.now();
    try {
      await part();
    } catch (error) {
      if (!(error instanceof MissingError)) throw error;
      skipped++;
      console.log(`skip ${name}: ${error.message}`);
    }
    console.log(`${name}: ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
  };
  if (isWanted('rounds')) await run('rounds', () => rounds(tally));
  const kinds: readonly Kind[] = ['apache', 'zabra'];
  for (const kind of kinds) {
    for (const [name, use] of Object.entries(clients)) {
      if (!isWanted(name)) continue;
      await run(`${name} against ${kind}`, async () => {
        tally.begin(`${name} against ${kind}`);
        const server = await startSecure(kind);
        try {
          await use(server, tally);
        } finally {
          await server.dispose();
        }
      });
    }
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
