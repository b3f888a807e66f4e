import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';

const moduleUrl = new URL('./flush-watchdog.js', import.meta.url).href;

/** Runs the script in a process of its own; how it ended and what it said. */
function run(
  script: string,
): Promise<{ signal: string | null; code: number | null; said: string }> {
  return new Promise((resolve) => {
    const text = `import { FlushWatchdog } from ${JSON.stringify(moduleUrl)};\n${script}`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', text]);
    let said = '';
    child.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    child.on('close', (code, signal) => {
      resolve({ signal, code, said });
    });
  });
}

const hang = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);';

test('a flush that does not come back ends the process, and says why', async () => {
  const end = await run(`const dog = new FlushWatchdog(200); dog.begin(); ${hang}`);
  assert.equal(end.signal, 'SIGKILL');
  assert.match(end.said, /has not answered a flush of the transaction log for 0\.2 s/);
});

test('flushes that come back, however many, and a busy loop between them do not', async () => {
  const end = await run(`
    const dog = new FlushWatchdog(1000);
    const busyUntil = Date.now() + 1500;
    while (Date.now() < busyUntil) { dog.begin(); dog.end(); }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);`);
  assert.deepEqual(end, { signal: null, code: 0, said: '' });
});

test('of a flush elsewhere the loop sees itself that it does not come back', async () => {
  const ended = await run(
    'const dog = new FlushWatchdog(200); dog.watch(); setTimeout(() => {}, 5000);',
  );
  assert.equal(ended.signal, 'SIGKILL');
  assert.match(ended.said, /has not answered a flush of the transaction log for 0\.2 s/);
  const came = await run(
    'const dog = new FlushWatchdog(200); dog.watch()(); setTimeout(() => {}, 500);',
  );
  assert.deepEqual(came, { signal: null, code: 0, said: '' });
});
