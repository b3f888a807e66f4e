/** What Apache's shell cannot do, on either server: subtrees to files and back, whole and in pieces. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerProcess } from '../../support/server-process.js';
import type { Tally } from '../ensemble/tally.js';
import { zabraShell, type Ended } from './transcript.js';

const znodes = 400;

export async function checkDumps(
  server: ServerProcess,
  directory: string,
  tally: Tally,
): Promise<void> {
  const run = (words: readonly string[], input = ''): Promise<Ended> =>
    zabraShell(['-server', `127.0.0.1:${server.port}`, ...words], input);
  const file = join(directory, `dump-${server.port}.txt`);
  const nodes = Array.from({ length: znodes }, (_, at) => `/n${at}\n  = data of ${at}\n`);
  writeFileSync(
    file,
    `root /dump\n/\n  base64 AP8=\n/acl\n  acl world:anyone:cdra\n  acl ip:127.0.0.1:cdrwa\n${nodes.join('')}`,
  );
  // pieces of less than 16 KiB
  const first = await run(['import', '--max-bytes', '16384', file]);
  tally.check('import in pieces', first.exitCode, 0);
  tally.check('it took several', /in [2-9]\d* transactions/.test(first.err), true);
  const again = await run(['import', file]);
  tally.check('the same again changes nothing', /^0 changes/.test(again.err), true);
  const copy = `${file}.json`;
  tally.check('export', (await run(['export', '/dump', copy])).exitCode, 0);
  tally.check('diff of what was exported', (await run(['diff', copy])).out, '');
  tally.check('whole, elsewhere', (await run(['import', copy, '/twin'])).exitCode, 0);
  tally.check('the twin is the same', (await run(['diff', file, '/twin'])).exitCode, 0);
  await run(['set', '/twin/n1', 'otherwise']);
  await run(['create', '/twin/extra']);
  const different = await run(['diff', file, '/twin']);
  tally.check('a difference ends with 1', different.exitCode, 1);
  tally.check('apply', (await run(['apply', '--prune', file, '/twin'])).exitCode, 0);
  tally.check('then it is the same', (await run(['diff', file, '/twin'])).exitCode, 0);
  await run([], 'deleteall /dump\ndeleteall /twin\n');
}
