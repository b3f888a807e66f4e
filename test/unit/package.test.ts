/**
 * The package as others get it: packed, unpacked in a folder of its own without anything beside it,
 * and used as the README says.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestServer } from 'zabra/testing';
import { repositoryRoot, run } from '../support/machine.js';

const folder = mkdtempSync(join(tmpdir(), 'zabra-package-'));
const kilobytesMax = 1400;

before(() => {
  // what is packed is what is built: no script runs
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
    cwd: repositoryRoot,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [tarball = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  const target = join(folder, 'node_modules', 'zabra');
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['xzf', join(folder, tarball), '-C', target, '--strip-components=1']);
  writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}\n');
});

after(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Blocks of JavaScript under a heading of the README. */
function snippets(heading: string): string[] {
  const readme = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
  const from = readme.indexOf(`\n## ${heading}\n`);
  assert.ok(from >= 0, `the README has no part ${heading}`);
  const next = readme.indexOf('\n## ', from + 1);
  const part = readme.slice(from, next < 0 ? undefined : next);
  return [...part.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = '']) => code);
}

test("the README's client part runs as written, with nothing installed but the package", async () => {
  const server = await TestServer.start();
  try {
    const all = snippets('The client');
    assert.ok(all.length > 0);
    for (const [i, code] of all.entries()) {
      const file = join(folder, `snippet-${i}.js`);
      writeFileSync(file, code.replaceAll('127.0.0.1:2181', server.connectString));
      const {
        code: exit,
        stdout,
        stderr,
      } = await run(process.execPath, [file], {
        cwd: folder,
        timeoutMs: 30_000,
      });
      assert.equal(exit, 0, `${code}\n${stdout}${stderr}`);
      for (const [, said = ''] of code.matchAll(/\/\/ prints (.*)$/gm)) {
        assert.ok(stdout.includes(said), `${said}\nis not in\n${stdout}`);
      }
    }
  } finally {
    await server.stop();
  }
});

test('client, recipes and discovery have nothing but themselves at run time, and start quickly', async () => {
  for (const entry of ['zabra', 'zabra/client', 'zabra/recipes', 'zabra/discovery']) {
    const code = `const t = performance.now(); await import('${entry}'); console.log(performance.now() - t)`;
    const {
      code: exit,
      stdout,
      stderr,
    } = await run(process.execPath, ['--input-type=module', '-e', code], {
      cwd: folder,
      timeoutMs: 30_000,
    });
    assert.equal(exit, 0, stderr);
    assert.ok(Number(stdout) < 1000, `${entry} took ${stdout} ms`);
  }
});

test('the package stays light', () => {
  const [tarball = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  const kilobytes = readFileSync(join(folder, tarball)).length / 1024;
  assert.ok(kilobytes < kilobytesMax, `${kilobytes.toFixed(0)} kB`);
});
