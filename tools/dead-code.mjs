/**
 * Finds exports that no other file names, and files that nothing imports. By names, not by types: a
 * name that stands anywhere else counts as used, which errs on the quiet side. (The tools that do
 * this by types bring native parsers, whose lock entries `npm ci` refuses across platforms.)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const sources = ['src', 'test', 'bench', 'examples'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name)),
);
const texts = new Map(sources.map((file) => [file, readFileSync(file, 'utf8')]));

/** Started by name: entries of the package, command lines, tests, examples. */
const isRoot = (file) => {
  const path = relative(root, file);
  return (
    /^src\/[^/]+\.ts$|^src\/bin\/|^src\/cli\/main\.ts$|\.test\.ts$|^examples\/|\/main\.ts$/.test(
      path,
    ) ||
    /^test\/interop\/recipes\/(contender|queue-contender|queues)\.ts$/.test(path) ||
    /^test\/interop\/balancer\/features\.ts$|^bench\/balancer\/subsets\.ts$/.test(path) ||
    /^test\/cluster\/(autopilot|disks|ensemble|faulty-server|network|oracle)\.ts$/.test(path) ||
    /^test\/soak\.ts$|^test\/conformance\/(differential|cross-load)\.ts$/.test(path) ||
    /^bench\/(loop-probe|tree-memory|client\/(worker|echo-server))\.ts$|^test\/types\//.test(path)
  );
};

const imported = new Set();
for (const [file, text] of texts) {
  for (const [, target] of text.matchAll(/(?:from|import\(|new URL\()\s*'(\.[^']+)\.js'/g)) {
    imported.add(resolve(dirname(file), `${target}.ts`));
  }
}
const problems = [];
for (const [file, text] of texts) {
  const path = relative(root, file);
  if (!isRoot(file) && !imported.has(file)) problems.push(`${path}: nothing imports it`);
  // the codec's public entry re-exports all of it; types are checked by being compiled
  if (path.startsWith('src/protocol/') || path.startsWith('test/types/')) continue;
  const exported =
    /^export (?:abstract )?(?:async )?(?:const|let|function\*?|class|interface|type) (\w+)/gm;
  for (const [, name] of text.matchAll(exported)) {
    const word = new RegExp(`\\b${name}\\b`, 'g');
    const inOwn = (text.match(word) ?? []).length;
    const elsewhere = [...texts].some(([other, it]) => other !== file && word.test(it));
    if (!elsewhere && inOwn < 2) problems.push(`${path}: ${name} is exported and used nowhere`);
  }
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`dead code: none in ${texts.size} files`);
