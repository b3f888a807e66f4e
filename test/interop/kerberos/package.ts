/** The npm package `kerberos`, compiled by its own install script in a private folder. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheDirectory, MissingError, run, underLock } from '../../support/machine.js';

/** The first that the product says it works with, as maintained last, and the newest. */
export const versions = { old: '2.2.2', new: '7.0.0' } as const;

/**
 * The folder of that version. It is compiled against `headers`. MissingError where that does not work: no
 * registry, no compiler, no headers of Node.
 */
export async function installKerberos(
  version: string,
  headers: readonly string[],
): Promise<string> {
  const home = join(cacheDirectory, 'interop', `kerberos-${version}`);
  const folder = join(home, 'node_modules', 'kerberos');
  const binary = join('build', 'Release', 'kerberos.node');
  if (existsSync(join(folder, binary))) return folder;
  await underLock('kerberos', async () => {
    if (existsSync(join(folder, binary))) return;
    const fresh = `${home}.fresh`;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { recursive: true });
    writeFileSync(join(fresh, 'package.json'), '{"private":true}\n');
    // Node's own headers, where they came with it: otherwise the compiler's helper wants to fetch them
    const prefix = dirname(dirname(process.execPath));
    const hasHeaders = existsSync(join(prefix, 'include', 'node', 'node_api.h'));
    const env = {
      ...process.env,
      CXXFLAGS: headers.map((directory) => `-I${directory}`).join(' '),
      npm_config_build_from_source: 'true',
      ...(hasHeaders ? { npm_config_nodedir: prefix } : {}),
    };
    const args = ['install', '--no-audit', '--no-fund', '--foreground-scripts'];
    const { stdout, stderr } = await run('npm', [...args, `kerberos@${version}`], {
      cwd: fresh,
      env,
      timeoutMs: 300_000,
    });
    if (!existsSync(join(fresh, 'node_modules', 'kerberos', binary))) {
      const lines = `${stdout}\n${stderr}`.trim().split('\n');
      const errors = lines.filter(
        (line) => /error|ERR!|not found/i.test(line) && !/ at /.test(line),
      );
      const why = (errors.length > 0 ? errors : lines).slice(0, 6).join('\n  ');
      rmSync(fresh, { recursive: true, force: true });
      throw new MissingError(`kerberos@${version} of npm cannot be installed:\n  ${why}`);
    }
    rmSync(home, { recursive: true, force: true });
    renameSync(fresh, home);
  });
  return folder;
}
