/**
 * Imports go down the floors (DESIGN.md 2): a folder may import only what the table below lets it.
 * Run by `npm run check` and `npm test`; prints each import that climbs, and fails.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

const root = resolve(import.meta.dirname, '..', 'src');
const language = ['base', 'ports', 'protocol'];
const cores = ['tree', 'watch', 'session', 'txn', 'zab', 'balance'];
const engines = ['server', 'client', 'balancer', 'storage'];
const products = ['recipes', 'discovery', 'admin'];

/** Besides itself, a folder may import these. */
const allowed = {
  base: [],
  ports: ['base'],
  protocol: ['base'],
  tree: language,
  watch: language,
  session: language,
  txn: [...language, 'tree', 'session'],
  zab: language,
  balance: language,
  storage: [...language, 'tree'],
  server: [...language, ...cores, 'storage'],
  client: [...language, ...cores],
  balancer: [...language, 'balance'],
  recipes: [...language, ...cores, 'client'],
  discovery: [...language, ...cores, 'client', 'recipes'],
  admin: [...language, ...cores, ...engines],
  node: [...language, ...cores, ...engines, ...products],
  sim: [...language, ...cores, ...engines, ...products],
  testing: [...language, ...cores, ...engines, ...products, 'node', 'sim'],
  cli: [...language, ...cores, ...engines, ...products, 'node', 'sim', 'testing'],
  console: [...language, ...cores, ...engines, ...products, 'node'],
  bin: [...language, ...cores, ...engines, ...products, 'node', 'sim', 'testing', 'cli', 'console'],
};

const problems = [];
for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
  const file = join(entry.parentPath, entry.name);
  const isTest = /\.(test|fixture)\.ts$/.test(file);
  const parts = relative(root, file).split(sep);
  const folder = parts.length > 1 ? parts[0] : 'entries';
  const text = readFileSync(file, 'utf8');
  for (const [, target] of text.matchAll(/(?:from|import\()\s*'([^']+)'/g)) {
    if (target.startsWith('node:')) {
      const mayUseNode =
        isTest || ['node', 'cli', 'bin', 'testing', 'console', 'admin'].includes(folder);
      if (!mayUseNode)
        problems.push(
          `${relative(root, file)} imports ${target}: only src/node and the roots know Node`,
        );
      continue;
    }
    if (!target.startsWith('.')) {
      if (!isTest && !['node', 'cli', 'bin', 'console', 'admin'].includes(folder)) {
        problems.push(
          `${relative(root, file)} imports the package ${target}: floors below stand alone`,
        );
      }
      continue;
    }
    const other = relative(root, resolve(dirname(file), target)).split(sep);
    const otherFolder = other.length > 1 ? other[0] : 'entries';
    if (otherFolder === folder || folder === 'entries' || isTest) continue;
    if (!(allowed[folder] ?? []).includes(otherFolder)) {
      problems.push(`${relative(root, file)} imports ${otherFolder}/: ${folder}/ may not`);
    }
  }
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log('floors: every import goes down');
