/**
 * `node build/test/interop/main.js [--target apache|zabra|ensemble|balancer|balancer-apache]
 * [names…]`: real clients, written by others, against a server process; of an ensemble, the leader is
 * the one that is killed, and so behind a balancer. Everything is installed by code into `.cache`; what
 * this machine cannot install is skipped, saying so.
 */
import { parseArgs } from 'node:util';
import { MissingError } from '../support/machine.js';
import { startOracle } from '../support/oracle.js';
import type { ServerOptions, ServerProcess } from '../support/server-process.js';
import { startZabra } from '../support/zabra-process.js';
import { startBalanced, startEnsemble } from './ensemble-target.js';
import type { Interop } from './program.js';
import { programs } from './programs/index.js';

type Start = (options: ServerOptions) => Promise<ServerProcess>;

const starts: Readonly<Record<string, Start>> = {
  apache: (options) => startOracle('3.9.5', options),
  zabra: startZabra,
  ensemble: startEnsemble,
  balancer: (options) => startBalanced('zabra', options),
  'balancer-apache': (options) => startBalanced('apache', options),
};
const targets = Object.keys(starts);

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

class Run implements Interop {
  readonly target: string;
  readonly #tally: Tally;
  readonly #name: string;
  readonly #servers: ServerProcess[] = [];

  constructor(target: string, name: string, tally: Tally) {
    this.target = target;
    this.#name = name;
    this.#tally = tally;
  }

  async start(options: ServerOptions = {}): Promise<ServerProcess> {
    const start = starts[this.target] ?? startZabra;
    const server = await start(options);
    this.#servers.push(server);
    return server;
  }

  async startApache(options: ServerOptions = {}): Promise<ServerProcess> {
    const server = await startOracle('3.9.5', options);
    this.#servers.push(server);
    return server;
  }

  passed(what: string): void {
    this.#tally.passed += 1;
    if (process.env['INTEROP_VERBOSE'] !== undefined) console.log(`ok   ${this.#name} > ${what}`);
  }

  failed(what: string, why: string): void {
    this.#tally.failed += 1;
    console.log(`FAIL ${this.#name} > ${what}: ${why}`);
  }

  async dispose(): Promise<void> {
    for (const server of this.#servers) await server.dispose();
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { target: { type: 'string', default: 'zabra' }, list: { type: 'boolean' } },
  });
  if (values.list === true) {
    for (const program of programs) console.log(`${program.name.padEnd(10)} ${program.about}`);
    return 0;
  }
  const known = programs.map((program) => program.name);
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0 || !targets.includes(values.target)) {
    console.error(`usage: interop [--target ${targets.join('|')}] [--list] [${known.join('|')} …]`);
    return 2;
  }
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const program of programs) {
    if (positionals.length > 0 && !positionals.includes(program.name)) continue;
    if (values.target === 'ensemble' && !program.takesEnsembles) continue;
    const run = new Run(values.target, program.name, tally);
    const started = Date.now();
    const before = tally.passed;
    try {
      await program.run(run);
    } catch (error) {
      if (error instanceof MissingError) {
        tally.skipped += 1;
        console.log(`skip ${program.name}: ${error.message}`);
        continue;
      }
      run.failed(
        'it runs',
        error instanceof Error ? (error.stack ?? error.message) : String(error),
      );
    } finally {
      await run.dispose();
    }
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`${program.name}: ${tally.passed - before} checks, ${seconds} s`);
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
