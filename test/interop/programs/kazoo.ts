/** kazoo from PyPI, in a virtual environment of its own. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  cacheDirectory,
  freePort,
  hasProgram,
  MissingError,
  repositoryRoot,
  runOrThrow,
  underLock,
} from '../../support/machine.js';
import type { ServerProcess } from '../../support/server-process.js';
import { converse, hostsOf, type Program } from '../program.js';

const version = '2.11.0';

export async function installKazoo(): Promise<string> {
  const home = join(cacheDirectory, 'interop', `kazoo-${version}`);
  const python = join(home, 'bin', 'python3');
  const done = join(home, 'installed');
  if (existsSync(done)) return python;
  if (!(await hasProgram('python3', '-m', 'venv', '--help'))) throw new MissingError('no Python');
  await underLock('kazoo', async () => {
    if (existsSync(done)) return;
    rmSync(home, { recursive: true, force: true });
    await runOrThrow('python3', ['-m', 'venv', home]);
    await runOrThrow(python, ['-m', 'pip', '--quiet', 'install', `kazoo==${version}`]);
    await runOrThrow('cp', [join(home, 'pyvenv.cfg'), `${done}.part`]);
    renameSync(`${done}.part`, done);
  });
  return python;
}

export const kazooProgram: Program = {
  name: 'kazoo',
  takesEnsembles: true,
  about: `kazoo ${version}: ops, watches and recipes, with the server killed in the middle`,
  async run(interop) {
    const python = await installKazoo();
    let server: ServerProcess = await interop.start({ config: { tickTime: '500' } });
    // a host list whose first host is dead
    const hosts = `127.0.0.1:${await freePort()},${hostsOf(server)}`;
    await converse(interop, {
      program: python,
      args: ['-u', join(repositoryRoot, 'test', 'interop', 'python', 'kazoo_program.py'), hosts],
      timeoutMs: 180_000,
      async restart() {
        await server.kill('SIGKILL');
        server = await server.startAgain();
      },
    });
    await server.dispose();
  },
};
