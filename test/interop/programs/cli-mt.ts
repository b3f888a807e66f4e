/** Debian's C client: cli_mt, unpacked from its packages without installing them. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  cacheDirectory,
  hasProgram,
  MissingError,
  runOrThrow,
  underLock,
} from '../../support/machine.js';
import { TestClient } from '../../support/test-client.js';
import type { Interop, Program } from '../program.js';

async function install(): Promise<{ program: string; libraries: string }> {
  const home = join(cacheDirectory, 'interop', 'cli-mt');
  const program = join(home, 'usr', 'lib', 'zookeeper', 'bin', 'cli_mt');
  const libraries = join(
    home,
    'usr',
    'lib',
    `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
  );
  if (existsSync(program)) return { program, libraries };
  const hasApt =
    (await hasProgram('apt-get', '--version')) && (await hasProgram('dpkg-deb', '--version'));
  if (!hasApt) throw new MissingError('no Debian packages here (apt-get, dpkg-deb)');
  await underLock('cli-mt', async () => {
    if (existsSync(program)) return;
    const fresh = `${home}.fresh`;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { recursive: true });
    await runOrThrow('apt-get', ['download', 'zookeeper-bin', 'libzookeeper-mt2'], { cwd: fresh });
    for (const name of readdirSync(fresh).filter((one) => one.endsWith('.deb'))) {
      await runOrThrow('dpkg-deb', ['-x', join(fresh, name), fresh]);
    }
    rmSync(home, { recursive: true, force: true });
    renameSync(fresh, home);
  });
  return { program, libraries };
}

/** A dialogue: each command is sent when the answer to the one before has been read. */
class Shell {
  readonly #child;
  #output = '';
  #taken = 0;
  #wake: () => void = () => undefined;

  constructor(program: string, libraries: string, hosts: string) {
    this.#child = spawn(program, ['-h', hosts], {
      env: { ...process.env, LD_LIBRARY_PATH: libraries },
    });
    const read = (chunk: Buffer): void => {
      this.#output += chunk.toString();
      this.#wake();
    };
    this.#child.stdout.on('data', read);
    this.#child.stderr.on('data', read);
  }

  /** Waits for `pattern` in what came since the last match; returns the match. */
  async expect(pattern: RegExp, waitMs = 20_000): Promise<RegExpExecArray> {
    const deadline = Date.now() + waitMs;
    for (;;) {
      const match = pattern.exec(this.#output.slice(this.#taken));
      if (match !== null) {
        this.#taken += match.index + match[0].length;
        return match;
      }
      const left = deadline - Date.now();
      if (left <= 0) {
        const seen = this.#output.slice(this.#taken).split('\n').slice(-12).join('\n');
        throw new Error(`no ${pattern} in:\n${seen}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  send(command: string): void {
    this.#child.stdin.write(`${command}\n`);
  }

  async quit(): Promise<void> {
    this.send('quit');
    if (this.#child.exitCode !== null) return;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await new Promise((resolve) => this.#child.once('exit', resolve));
    clearTimeout(timer);
  }
}

async function converse(interop: Interop): Promise<void> {
  const { program, libraries } = await install();
  let server = await interop.start({ config: { tickTime: '500' } });
  const witness = await TestClient.connect(server);
  const shell = new Shell(program, libraries, `127.0.0.1:${server.port}`);
  const check = async (what: string, run: () => Promise<unknown>): Promise<void> => {
    try {
      await run();
      interop.passed(what);
    } catch (error) {
      interop.failed(what, error instanceof Error ? error.message : String(error));
    }
  };
  const steps: [string, string, RegExp][] = [
    ['create', 'create /c', /\[\/c\]: rc = 0\s+name = \/c/],
    ['create2', 'create2 /c2', /\[\/c2\]: rc = 0\s+name = \/c2/],
    ['create of an ephemeral', 'create +e /c/e', /\[\/c\/e\]: rc = 0/],
    ['create of a sequential', 'create +s /c/s-', /name = \/c\/s-0000000001/],
    ['an error', 'create /c', /\[\/c\]: rc = -110/],
    ['set', 'set /c hello', /\/c: rc = 0/],
    ['get', 'get /c', /rc = 0\s+value_len = 5\s+hello/],
    ['exists of what is not there', 'exists /no', /Error -101 for \/no/],
    ['ls', 'ls /c', /rc = 0\s+(?:e\s+s-0000000001|s-0000000001\s+e)/],
    ['ls2', 'ls2 /c', /rc = 0[^]*numChildren\s*=?\s*2|rc = 0[^]*ctime/],
    ['sync', 'sync /c', /\[\/c\]: rc = 0\s+name = \/c/],
    ['addauth', 'addauth digest bob:secret', /$/],
    ['delete', 'delete /c2', /\/c2: rc = 0|^$/],
    ['delete of what is not empty', 'delete /c', /\/c: rc = -111/],
    ['an asynchronous get', 'aget /c', /rc = 0\s+value_len = 5\s+hello/],
  ];
  await check('connects', async () => shell.expect(/Got a new session id/));
  for (const [what, command, expected] of steps) {
    await check(what, async () => {
      shell.send(command);
      await shell.expect(expected);
    });
  }
  // wexists prints nothing; what is printed for the get behind it says that the watch is set
  const watch = async (): Promise<void> => {
    shell.send('wexists /c');
    shell.send('get /c');
    await shell.expect(/value_len = 5[^]*ephemeralOwner = 0/);
  };
  await check('a watch fires', async () => {
    await watch();
    await witness.setData('/c', 'other');
    await shell.expect(/Watcher CHANGED_EVENT state = CONNECTED_STATE for path \/c/);
  });
  await check(
    'it reconnects to a server that was killed, with its session and watches',
    async () => {
      await watch();
      await server.kill('SIGKILL');
      server = await server.startAgain();
      // a balancer before our servers hides it
      if (interop.target !== 'balancer') {
        await shell.expect(/Watcher SESSION_EVENT state = CONNECTED_STATE/, 30_000);
      }
      const again = await TestClient.connect(server);
      if ((await again.exists('/c/e')).err !== 0) throw new Error('its ephemeral is gone');
      await again.setData('/c', 'again');
      await shell.expect(/Watcher CHANGED_EVENT state = CONNECTED_STATE for path \/c/);
      shell.send('get /c');
      await shell.expect(/value_len = 5\s+again/);
      await again.close();
    },
  );
  await shell.quit();
  await check('its ephemeral goes with it', async () => {
    const again = await TestClient.connect(server);
    const left = await again.exists('/c/e');
    await again.close();
    if (left.err !== -101) throw new Error(`err ${left.err}`);
  });
  witness.destroy();
  await server.dispose();
}

export const cliMtProgram: Program = {
  name: 'cli_mt',
  takesEnsembles: false,
  about: "Debian's C client, with the server killed in the middle",
  run: converse,
};
