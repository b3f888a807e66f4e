/**
 * One client in a process of its own: keeps so many requests outstanding for so long, and prints what
 * was done and what it cost this process. `worker.js subject op outstanding seconds address`
 */
import { subjectNames, openSubject, opNames, type OpName, type SubjectName } from './subjects.js';

const WARM_SECONDS = 1;

export interface WorkerFigures {
  readonly ops: number;
  readonly seconds: number;
  /** Of this process, all its threads, user and system. */
  readonly cpuSeconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

function oneOf<Name extends string>(names: readonly Name[], given: string | undefined): Name {
  const found = names.find((name) => name === given);
  if (found === undefined) throw new Error(`one of ${names.join(', ')}, not ${given ?? 'nothing'}`);
  return found;
}

async function main(): Promise<void> {
  const [subjectName, opName, outstandingText, secondsText, address = ''] = process.argv.slice(2);
  const subject: SubjectName = oneOf(subjectNames, subjectName);
  const op: OpName = oneOf(opNames, opName);
  const outstanding = Number(outstandingText);
  const client = await openSubject(subject, address, op);
  await load(client.ops[op], outstanding, WARM_SECONDS);
  const figures = await load(client.ops[op], outstanding, Number(secondsText));
  await client.close();
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  process.exit(0);
}

/** Every request that ends begins the next one, until the time is up and the last have ended. */
async function load(
  op: (done: (error: Error | null) => void) => void,
  outstanding: number,
  seconds: number,
): Promise<WorkerFigures> {
  const latenciesUs: number[] = [];
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  const until = began + seconds * 1000;
  let ops = 0;
  let open = 0;
  await new Promise<void>((resolve, reject) => {
    let isEnding = false;
    const begin = (): void => {
      open++;
      // one request in 16 is timed: the clock costs as much as a small request
      const askedAt = ops % 16 === 0 ? performance.now() : 0;
      op((error) => {
        open--;
        if (error !== null) {
          reject(error);
          return;
        }
        ops++;
        if (askedAt !== 0) latenciesUs.push((performance.now() - askedAt) * 1000);
        if (ops % 8 === 0 && performance.now() >= until) isEnding = true;
        if (!isEnding) begin();
        else if (open === 0) resolve();
      });
    };
    for (let i = 0; i < outstanding; i++) begin();
  });
  const cpu = process.cpuUsage(cpuBefore);
  const elapsed = (performance.now() - began) / 1000;
  latenciesUs.sort((a, b) => a - b);
  const at = (q: number): number => latenciesUs[Math.floor(latenciesUs.length * q)] ?? 0;
  return {
    ops,
    seconds: elapsed,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    p50Us: at(0.5),
    p99Us: at(0.99),
  };
}

await main();
