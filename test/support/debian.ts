/**
 * Programs and libraries of Debian's that tests need, unpacked from their packages into `.cache` and not
 * installed: nobody has to be root, and the machine stays as it was.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, hasProgram, MissingError, run, runOrThrow, underLock } from './machine.js';

/** Where Debian keeps what is compiled for this machine. */
export const multiarch = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;

/**
 * The root of a tree with these packages, which must be all that is needed and not on every machine.
 * Idempotent. MissingError where there is no apt, or it does not find them.
 */
export async function unpackedPackages(name: string, packages: readonly string[]): Promise<string> {
  const hash = createHash('sha1').update(packages.join()).digest('hex').slice(0, 8);
  const home = join(cacheDirectory, 'debian', `${name}-${hash}`);
  if (existsSync(home)) return home;
  const hasApt =
    (await hasProgram('apt-get', '--version')) && (await hasProgram('dpkg-deb', '--version'));
  if (!hasApt) throw new MissingError('no Debian packages here (apt-get, dpkg-deb)');
  await underLock(`debian-${name}`, async () => {
    if (existsSync(home)) return;
    const fresh = `${home}.fresh`;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { recursive: true });
    const why = await download(packages, fresh);
    if (why !== null) {
      rmSync(fresh, { recursive: true, force: true });
      throw new MissingError(`apt-get does not bring the packages for ${name}: ${why}`);
    }
    for (const file of readdirSync(fresh).filter((one) => one.endsWith('.deb'))) {
      await runOrThrow('dpkg-deb', ['-x', join(fresh, file), fresh]);
      rmSync(join(fresh, file));
    }
    renameSync(fresh, home);
  });
  return home;
}

/** Why they cannot be had; null: they are there. */
async function download(packages: readonly string[], cwd: string): Promise<string | null> {
  const fetch = ['download', '-q', ...packages];
  if ((await run('apt-get', fetch, { cwd, timeoutMs: 120_000 })).code === 0) return null;
  // the machine's lists are old or were never fetched: lists of our own, which take no root
  const own = join(cwd, 'apt');
  for (const folder of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(own, folder), { recursive: true });
  const options = [
    ...['-o', `Dir::State::lists=${join(own, 'lists')}`],
    ...['-o', `Dir::Cache=${join(own, 'cache')}`],
    ...['-o', 'APT::Sandbox::User=root'],
  ];
  await run('apt-get', [...options, 'update', '-q'], { cwd, timeoutMs: 120_000 });
  const { code, stderr } = await run('apt-get', [...options, ...fetch], {
    cwd,
    timeoutMs: 120_000,
  });
  rmSync(own, { recursive: true, force: true });
  if (code === 0) return null;
  return stderr.split('\n').find((line) => line.startsWith('E:')) ?? `exit ${code}`;
}
