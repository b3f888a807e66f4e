/**
 * `npm run bench:client [-- --rounds N --seconds S]`: this repository's client, the two of npm and a
 * bare echo loop in turn, against one server that does not flush (the clients are to be the limit).
 * Three rounds or more write docs/benchmarks-client.md; a figure never fails the run, an error does.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client } from 'zabra/client';
import {
  cacheDirectory,
  freePort,
  repositoryRoot,
  runOrThrow,
  temporaryDirectory,
} from '../../test/support/machine.js';
import { machineClass } from '../machine-class.js';
import { median } from '../statistics.js';
import {
  data,
  echoBytes,
  incumbents,
  incumbentsDirectory,
  opNames,
  path,
  subjectNames,
  type OpName,
  type SubjectName,
} from './subjects.js';
import { reconnectMs } from './watches.js';
import type { WorkerFigures } from './worker.js';

const outstandings = [1, 256] as const;
const roundsToWrite = 3;
const watchCount = 10_000;
const aims = { faster: 2, cpu: 1.3, watchesMs: 1000 } as const;
const here = import.meta.dirname;

interface Row {
  readonly op: OpName;
  readonly outstanding: number;
  readonly figures: Map<SubjectName, WorkerFigures[]>;
}

/** Installed once, without a trace in this repository's own dependencies. */
async function installIncumbents(): Promise<void> {
  if (existsSync(join(incumbentsDirectory, 'node_modules', 'zookeeper', 'package.json'))) return;
  mkdirSync(incumbentsDirectory, { recursive: true });
  writeFileSync(join(incumbentsDirectory, 'package.json'), '{"private":true}\n');
  const wanted = Object.entries(incumbents).map(([name, version]) => `${name}@${version}`);
  await runOrThrow('npm', ['install', '--no-audit', '--no-fund', ...wanted], {
    cwd: incumbentsDirectory,
    timeoutMs: 600_000,
  });
}

/** A child that prints its port, or says that it serves; killed at the end. */
async function started(
  args: readonly string[],
  isUp: (output: string) => boolean,
): Promise<{ readonly child: ChildProcess; readonly output: string }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => {
      reject(new Error(`${args.join(' ')} ended with ${String(code)}`));
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (isUp(output)) resolve();
    });
  });
  return { child, output };
}

async function work(
  subject: SubjectName,
  row: Row,
  seconds: number,
  server: string,
): Promise<WorkerFigures> {
  let address = server;
  let echo: ChildProcess | null = null;
  if (subject === 'echo') {
    const { request, reply } = echoBytes[row.op];
    const args = [join(here, 'echo-server.js'), String(request), String(reply)];
    const up = await started(args, (output) => output.includes('\n'));
    echo = up.child;
    address = `127.0.0.1:${up.output.trim()}`;
  }
  const args = [subject, row.op, String(row.outstanding), String(seconds), address];
  const text = await runOrThrow(process.execPath, [join(here, 'worker.js'), ...args], {
    timeoutMs: (seconds + 60) * 1000,
  });
  echo?.kill('SIGKILL');
  return JSON.parse(text) as WorkerFigures;
}

const usPerOp = (figures: WorkerFigures): number => (figures.cpuSeconds / figures.ops) * 1e6;
const opsPerSecond = (figures: WorkerFigures): number => figures.ops / figures.seconds;

function middle(row: Row, subject: SubjectName, figure: (one: WorkerFigures) => number): number {
  return median((row.figures.get(subject) ?? []).map(figure));
}

function verdict(isReached: boolean): string {
  return isReached ? 'reached' : '**not reached**';
}

function table(rows: readonly Row[], watchesMs: readonly number[]): string {
  const lines = [
    '| load | client | ops/s | p50, us | p99, us | CPU, us/op | CPU / echo |',
    '|---|---|--:|--:|--:|--:|--:|',
  ];
  const verdicts: string[] = [];
  for (const row of rows) {
    const load = `${row.op}, ${row.outstanding} outstanding`;
    const echoUs = middle(row, 'echo', usPerOp);
    for (const subject of subjectNames) {
      const show = (figure: (one: WorkerFigures) => number, digits: number): string =>
        middle(row, subject, figure).toLocaleString('en-US', {
          minimumFractionDigits: digits,
          maximumFractionDigits: digits,
        });
      lines.push(
        `| ${load} | ${subject} | ${show(opsPerSecond, 0)} | ${show((one) => one.p50Us, 0)} | ` +
          `${show((one) => one.p99Us, 0)} | ${show(usPerOp, 2)} | ` +
          `${(middle(row, subject, usPerOp) / echoUs).toFixed(2)} |`,
      );
    }
    const zabra = middle(row, 'zabra', opsPerSecond);
    const best = Math.max(
      middle(row, 'node-zookeeper-client', opsPerSecond),
      middle(row, 'zookeeper', opsPerSecond),
    );
    const cpu = middle(row, 'zabra', usPerOp) / echoUs;
    verdicts.push(
      `- ${load}: ${(zabra / best).toFixed(2)} times the faster of npm's ` +
        `(aim ${aims.faster}: ${verdict(zabra >= aims.faster * best)}; the echo loop alone: ` +
        `${(middle(row, 'echo', opsPerSecond) / best).toFixed(2)}), ${cpu.toFixed(2)} times the ` +
        `CPU of the echo loop (aim ${aims.cpu}: ${verdict(cpu <= aims.cpu)})`,
    );
  }
  const ms = median(watchesMs);
  verdicts.push(
    `- ${watchCount.toLocaleString('en-US')} watches after a lost connection: in place again after ` +
      `${ms.toFixed(0)} ms (aim ${aims.watchesMs}: ${verdict(ms <= aims.watchesMs)})`,
  );
  return `${lines.join('\n')}\n\n${verdicts.join('\n')}\n`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '3' },
    },
  });
  const rounds = Number(values.rounds);
  const seconds = Number(values.seconds);
  await installIncumbents();
  const directory = temporaryDirectory('bench-client');
  const port = await freePort();
  const config = join(directory, 'zoo.cfg');
  writeFileSync(
    config,
    `dataDir=${join(directory, 'data')}\nclientPort=${port}\nforceSync=no\nadmin.enableServer=false\n`,
  );
  const program = join(repositoryRoot, 'bin', 'zabra');
  const server = await started([program, 'server', config], (output) => output.includes('\n'));
  const address = `127.0.0.1:${port}`;
  const zk = await new Client(address).connect();
  await zk.create(path, data);
  await zk.close();
  const rows: Row[] = opNames.flatMap((op) =>
    outstandings.map((outstanding) => ({ op, outstanding, figures: new Map() })),
  );
  const watchesMs: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    console.log(`round ${round} of ${rounds}`);
    for (const row of rows) {
      for (const subject of subjectNames) {
        const figures = await work(subject, row, seconds, address);
        row.figures.set(subject, [...(row.figures.get(subject) ?? []), figures]);
        console.log(
          `  ${row.op} ${row.outstanding} ${subject}: ${opsPerSecond(figures).toFixed(0)} ops/s, ` +
            `${usPerOp(figures).toFixed(2)} us of CPU`,
        );
      }
    }
    watchesMs.push(await reconnectMs(address, watchCount));
    console.log(`  ${watchCount} watches again: ${(watchesMs.at(-1) ?? 0).toFixed(0)} ms`);
  }
  server.child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
  const machine = await machineClass(cacheDirectory, false);
  const text =
    '# Benchmarks of the client\n\nWritten by `npm run bench:client`: medians, ' +
    `${rounds} rounds of ${seconds} s each, ${machine.computer}, Node ${machine.node}. Versions of ` +
    `npm's: ${Object.entries(incumbents)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}` +
    '. The server is the same for all and does not flush. `echo` is no client: as many bytes ' +
    'there and back, and nothing done with them.\n\n' +
    table(rows, watchesMs);
  console.log(`\n${text}`);
  if (rounds >= roundsToWrite) {
    writeFileSync(join(repositoryRoot, 'docs', 'benchmarks-client.md'), text);
  }
}

await main();
