/**
 * `npm test`: everything that needs only Node. Unit tests beside the code and the tests of test/ that
 * run without Java; what needs other software lives in `npm run interop` and says so there.
 */
import { spawnSync } from 'node:child_process';

const floors = spawnSync('node', ['tools/floors.mjs'], { stdio: 'inherit' });
const args = [
  '--test',
  '--test-concurrency=2',
  ...process.argv.slice(2),
  'dist/',
  'build/test/unit/',
  'build/examples/',
];
const tests = spawnSync('node', args, { stdio: 'inherit' });
if (process.exitCode === undefined && floors.status === 0 && tests.status === 0) {
  console.log(
    'Not run here: conformance against Apache ZooKeeper, interop (Java, Curator, Python, C, Kafka) and\n' +
      'benchmarks need other software. `npm run conformance -- standalone`, `npm run interop`.',
  );
}
process.exitCode = floors.status !== 0 || tests.status !== 0 ? 1 : 0;
