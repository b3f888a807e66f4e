/**
 * `node build/test/fuzz/main.js [--frames N] [--seed N] [--target process|inprocess]`: malformed and
 * odd frames against a live server. Exit code 0: it did what it should with all of them.
 */
import { parseArgs } from 'node:util';
import { runFuzz } from './run.js';
import { inProcessTarget, processTarget } from './target.js';

const MIB = 1024 * 1024;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      frames: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      target: { type: 'string', default: 'process' },
    },
  });
  const frames = Number(values.frames);
  const seed = Number(values.seed);
  const isProcess = values.target === 'process';
  if (!(frames > 0) || !Number.isInteger(seed) || !(isProcess || values.target === 'inprocess')) {
    console.error('usage: fuzz [--frames N] [--seed N] [--target process|inprocess]');
    return 2;
  }
  const target = await (isProcess ? processTarget() : inProcessTarget());
  try {
    const verdicts = await runFuzz(target, {
      seed,
      frames,
      connections: 8,
      framesPerBatch: 200,
      rssBytesMax: (isProcess ? 512 : 1024) * MIB,
      stallMsMax: 1000,
      log: (line) => {
        console.log(line);
      },
    });
    for (const { promise, complaint } of verdicts) {
      console.log(complaint === null ? `ok      ${promise}` : `FAILED  ${promise}: ${complaint}`);
    }
    const failed = verdicts.filter(({ complaint }) => complaint !== null).length;
    if (failed > 0) console.log(`again: --seed ${seed} --frames ${frames}`);
    console.log(`${verdicts.length - failed} passed, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  } finally {
    await target.dispose();
  }
}

process.exitCode = await main();
