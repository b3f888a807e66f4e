/**
 * `node build/test/interop/vitest/main.js`: the example for vitest, run by vitest, against the package as
 * it is built here. Ends with `N passed, N failed`; skips, saying so, where vitest cannot be had.
 */
import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, repositoryRoot, run } from '../../support/machine.js';

const version = '3.2.4';
const folder = join(cacheDirectory, `vitest-${version}`);
const example = 'leader.test.js';

async function main(): Promise<number> {
  mkdirSync(folder, { recursive: true });
  const program = join(folder, 'node_modules', 'vitest', 'vitest.mjs');
  if (!existsSync(program)) {
    writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}\n');
    const installed = await run(
      'npm',
      ['install', '--no-audit', '--no-fund', '--no-save', `vitest@${version}`],
      { cwd: folder, timeoutMs: 300_000 },
    );
    if (installed.code !== 0) {
      console.log(`skipped: vitest cannot be installed: ${installed.stderr.slice(-300)}`);
      return 0;
    }
  }
  const link = join(folder, 'node_modules', 'zabra');
  rmSync(link, { recursive: true, force: true });
  symlinkSync(repositoryRoot, link);
  copyFileSync(join(repositoryRoot, 'examples', 'vitest', example), join(folder, example));
  const env = { ...process.env };
  delete env['NODE_TEST_CONTEXT'];
  const { code, stdout, stderr } = await run(process.execPath, [program, 'run', example], {
    cwd: folder,
    env,
    timeoutMs: 120_000,
  });
  if (code !== 0) console.log(`${stdout}${stderr}`);
  console.log(code === 0 ? '1 passed, 0 failed' : '0 passed, 1 failed');
  return code;
}

process.exitCode = await main();
