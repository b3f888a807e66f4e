/** The prompt, at a terminal made of two streams: what is typed, what is seen. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { after, before, test } from 'node:test';
import { TestServer } from '../../testing/test-server.js';
import { completionsOf } from './completion.js';
import { launchOf } from './launch.js';
import { Prompt } from './prompt.js';
import { Shell } from './shell.js';

let server: TestServer;
let folder: string;
before(async () => {
  server = await TestServer.start();
  folder = mkdtempSync(join(tmpdir(), 'zabra-prompt-'));
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

class Screen extends Writable {
  text = '';
  readonly columns = 200;
  readonly #waiting = new Set<() => void>();

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.text += piece.toString('utf8');
    for (const look of this.#waiting) look();
    done();
  }

  /** Since the last time; resolves when it is seen, without colours and cursor movements. */
  async shows(wanted: RegExp): Promise<string> {
    return await new Promise((resolve) => {
      const look = (): void => {
        const plain = this.text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, '');
        if (!wanted.test(plain)) return;
        this.#waiting.delete(look);
        this.text = '';
        resolve(plain);
      };
      this.#waiting.add(look);
      look();
    });
  }
}

interface Session {
  readonly screen: Screen;
  readonly keys: PassThrough;
  readonly shell: Shell;
  readonly ended: Promise<number>;
}

async function open(env: Record<string, string>, address = server.connectString): Promise<Session> {
  const screen = new Screen();
  const keys = new PassThrough();
  const prompt = new Prompt({ input: keys, output: screen, env });
  const shell = new Shell(launchOf(['-server', address], env), {
    surface: prompt.surface,
    isInteractive: true,
    readInput: () => Promise.reject(new Error('no input here')),
    onChange: () => {
      prompt.refresh();
    },
  });
  await shell.start();
  const ended = prompt.run(shell).finally(() => shell.connection.close());
  await screen.shows(address === server.connectString ? /\(CONNECTED\) 0\] $/ : /0\] $/);
  return { screen, keys, shell, ended };
}

test('the prompt counts commands and shows the state; Ctrl-D leaves', async () => {
  const { screen, keys, ended } = await open({ ZABRA_HISTORY: '' });
  keys.write('create /prompt hello\n');
  await screen.shows(/Created \/prompt\n.*\(CONNECTED\) 1\] $/s);
  keys.write('get /prompt\n');
  await screen.shows(/\nhello\n\[zk: 127\.0\.0\.1:\d+\(CONNECTED\) 2\] $/);
  keys.write('get /nosuch\n');
  await screen.shows(/Node does not exist: \/nosuch\n.*3\] $/s);
  keys.write('close\n');
  await screen.shows(/\(CLOSED\) 4\] $/);
  keys.write('connect\n');
  await screen.shows(/\(CONNECTED\) 5\] $/);
  keys.write('\u0004');
  assert.equal(await ended, 0);
});

test('an event is written above the line that is being typed, which stays', async () => {
  const { screen, keys, shell, ended } = await open({ ZABRA_HISTORY: '', NO_COLOR: '1' });
  keys.write('create /event x\n');
  await screen.shows(/1\] $/);
  keys.write('get -w /event\n');
  await screen.shows(/2\] $/);
  keys.write('set /eve');
  await screen.shows(/set \/eve$/);
  await shell.connection.client?.setData('/event', 'y');
  await screen.shows(/NodeDataChanged path:\/event zxid: \d+\n\[zk: .* 2\] set \/eve$/);
  keys.write('nt z\n');
  await screen.shows(/3\] $/);
  keys.write('get /event\n');
  await screen.shows(/\nz\n/);
  keys.write('quit\n');
  assert.equal(await ended, 0);
});

test('Tab completes commands, flags and paths', async () => {
  const { screen, keys, shell, ended } = await open({ ZABRA_HISTORY: '' });
  keys.write('create /completion x\n');
  await screen.shows(/1\] $/);
  keys.write('getAl\t');
  await screen.shows(/getAllChildrenNumber $/);
  keys.write('/compl\t');
  await screen.shows(/\/completion$/);
  keys.write('\n');
  await screen.shows(/\n0\n/);
  keys.write('reconfig --f\t');
  await screen.shows(/--file $/);
  keys.write('\u0003');
  await screen.shows(/\^C\n.*2\] $/s);
  const { client } = shell.connection;
  assert.deepEqual(await completionsOf('ls /zookeeper/', client), [
    ['/zookeeper/config', '/zookeeper/quota'],
    '/zookeeper/',
  ]);
  assert.deepEqual(await completionsOf('set', client), [['set', 'setAcl', 'setquota'], 'set']);
  assert.deepEqual(await completionsOf('ls /nosuch/x', client), [[], '/nosuch/x']);
  assert.deepEqual(await completionsOf('ls /z', null), [[], '/z']);
  keys.write('quit\n');
  await ended;
});

test('Ctrl-C ends the command that runs, and not the shell', async () => {
  const { screen, keys, shell, ended } = await open({ ZABRA_HISTORY: '' });
  keys.write('create /long x\n');
  await screen.shows(/1\] $/);
  keys.write('watch /long\n');
  while (!shell.isRunning) await new Promise(setImmediate);
  keys.write('\u0003');
  await screen.shows(/2\] $/);
  keys.write('get /long\n');
  await screen.shows(/\nx\n/);
  keys.write('quit\n');
  await ended;
});

test('without a server a command waits, says so, and can be ended', async () => {
  const gone = await TestServer.start();
  await gone.stop();
  const { screen, keys, ended } = await open({ ZABRA_HISTORY: '' }, gone.connectString);
  keys.write('ls /\n');
  await screen.shows(/no connection to 127\.0\.0\.1:\d+ yet; Ctrl-C ends the waiting\n/);
  keys.write('\u0003');
  await screen.shows(/stopped\n.*\(CONNECTING\) 1\] $/s);
  keys.write('quit\n');
  assert.equal(await ended, 0);
});

test('what was typed is there the next time, but for who somebody is', async () => {
  const file = join(folder, 'history');
  writeFileSync(file, 'get /zookeeper\n', { mode: 0o600 });
  const { screen, keys, ended } = await open({ ZABRA_HISTORY: file });
  keys.write('\u001b[A');
  await screen.shows(/get \/zookeeper$/);
  keys.write('\n');
  await screen.shows(/1\] $/);
  keys.write('addauth digest bob:secret\n');
  await screen.shows(/2\] $/);
  keys.write('ls /\n');
  await screen.shows(/3\] $/);
  keys.write('quit\n');
  await ended;
  assert.equal(readFileSync(file, 'utf8'), 'get /zookeeper\nget /zookeeper\nls /\nquit\n');
  assert.equal(statSync(file).mode & 0o777, 0o600);
});
