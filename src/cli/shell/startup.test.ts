/** What is loaded for one command: little, because people wait for it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..', '..');

/** What these load before they do anything, and packages by their names. */
function loadedBy(entries: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(join(root, file), 'utf8');
    for (const [, target = ''] of text.matchAll(/^(?:import|export) .*?from '([^']+)';/gms)) {
      if (target.startsWith('.')) visit(relative(root, join(root, dirname(file), target)));
      else if (!target.startsWith('node:')) seen.add(target);
    }
  };
  for (const entry of entries) visit(entry);
  return seen;
}

test('a command of the shell loads no server, no package, and not the other commands', () => {
  const loaded = loadedBy([
    'cli/main.js',
    'cli/cli-command.js',
    'cli/shell/client-options.js',
    'cli/shell/commands/read.js',
    'node/client.js',
  ]);
  const strange = [...loaded].filter((file) => {
    if (file === 'server/version.js') return false;
    return /^(server|storage|tree|zab|txn|session|watch|sim|testing|admin)\/|^[^/]+$/.test(file);
  });
  assert.deepEqual(strange, []);
  assert.ok(!loaded.has('cli/shell/commands/dump.js'));
  assert.ok(!loaded.has('cli/shell/prompt.js'));
  assert.ok(loaded.size < 120, `${loaded.size} files`);
});
