/** What may be meant by the beginning of a word: a command, a flag of it, or a path of the tree. */
import type { ZkClient } from '../../client/types.js';
import { commandNames, commands } from './commands.js';
import { dashed } from './flags.js';

/** Longer lists are no help. */
const shownMax = 500;
const patienceMs = 2000;

/** What the word under the cursor may become, and that word, as `readline` wants them. */
export async function completionsOf(
  line: string,
  client: ZkClient | null,
): Promise<[completions: string[], word: string]> {
  const word = /[^\s"']*$/.exec(line)?.[0] ?? '';
  const before = line.slice(0, line.length - word.length).trim();
  const [name = ''] = before.split(/\s+/);
  if (before === '' || (name === 'help' && before === 'help')) {
    return [startingWith(word, commandNames(), ' '), word];
  }
  if (word.startsWith('-')) {
    const flags = commands.get(name)?.flags.map((flag) => dashed(flag.name)) ?? [];
    return [startingWith(word, [...flags, '--json', '--ndjson'], ' '), word];
  }
  if (name === 'printwatches') return [startingWith(word, ['on', 'off'], ' '), word];
  if (!word.startsWith('/') || client?.state !== 'connected') return [[], word];
  return [await pathsFrom(word, client), word];
}

async function pathsFrom(word: string, client: ZkClient): Promise<string[]> {
  const slash = word.lastIndexOf('/');
  const prefix = word.slice(0, slash + 1);
  try {
    const { children } = await client.getChildren(slash === 0 ? '/' : word.slice(0, slash), {
      signal: AbortSignal.timeout(patienceMs),
    });
    return startingWith(word, children.map((child) => `${prefix}${child}`).sort(), '');
  } catch {
    // no such path, or nobody there to ask: nothing to offer
    return [];
  }
}

/** What is complete is followed by what comes next. */
function startingWith(word: string, known: readonly string[], ending: string): string[] {
  const found = known.filter((one) => one.startsWith(word)).slice(0, shownMax);
  return found.length === 1 ? found.map((one) => `${one}${ending}`) : found;
}
