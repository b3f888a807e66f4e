/** The shell without anybody before it: its commands come from a pipe or a file, one a line. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Shell } from './shell.js';

/**
 * Resolves with 0 when all went well, else with the exit code of the first that did not. The others
 * are run all the same, unless `failsFast`.
 */
export async function runPiped(
  shell: Shell,
  input: Readable,
  { failsFast }: { readonly failsFast: boolean },
): Promise<number> {
  const lines = createInterface({ input, crlfDelay: Infinity });
  let failed = 0;
  try {
    for await (const line of lines) {
      if (line.trimStart().startsWith('#')) continue;
      const code = (await shell.runLine(line)) ?? 0;
      if (failed === 0) failed = code;
      if (shell.hasQuit || (failsFast && code !== 0)) break;
    }
  } finally {
    lines.close();
  }
  return failed;
}
