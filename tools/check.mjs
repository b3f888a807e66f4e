/** `npm run check`: types, floors, lint, formatting, dead code; all are run, then the verdict. */
import { spawnSync } from 'node:child_process';

const steps = [
  ['types', 'npx', ['tsc', '-b', 'tsconfig.json']],
  ['floors', 'node', ['tools/floors.mjs']],
  ['lint', 'npx', ['eslint', '--max-warnings', '0', 'src', 'test', 'bench', 'examples']],
  ['format', 'npx', ['prettier', '--check', '--log-level', 'warn', '.']],
  ['dead code', 'node', ['tools/dead-code.mjs']],
];
let failed = 0;
for (const [name, command, args] of steps) {
  const start = Date.now();
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  console.log(
    `${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`,
  );
  if (status !== 0) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
