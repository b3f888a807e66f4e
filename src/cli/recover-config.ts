/**
 * The configuration of an ensemble that is recovered: zoo.cfg (and the dynamic file, where there is
 * one) with the survivors as its only members. Lines that no longer hold stay as comments: they tell
 * what was.
 */
import { dirname, join } from 'node:path';
import { propertyText } from './property-text.js';

export interface Survivors {
  readonly sids: ReadonlySet<number>;
  /** No voter is left: those that only observed vote from now on. */
  readonly arePromoted: boolean;
}

const note = '# no longer, since zabra recover: ';

/** Lines of members and what decides about them; a continued line is one. */
export function recoveredText(text: string, survivors: Survivors): string {
  const kept = logicalLines(text).map((line) => {
    const key = /^\s*([^\s=:#!][^\s=:]*)/.exec(line)?.[1] ?? '';
    const server = /^server\.(\d+)$/.exec(key)?.[1];
    if (server !== undefined) {
      if (!survivors.sids.has(Number(server))) return commented(line);
      return survivors.arePromoted ? line.replace(/:observer\b/i, ':participant') : line;
    }
    const isOver =
      /^(?:group|weight)\.\d+$/.test(key) ||
      key === 'standaloneEnabled' ||
      (key === 'peerType' && survivors.arePromoted);
    return isOver ? commented(line) : line;
  });
  return kept.join('\n');
}

/** zoo.cfg: also a single survivor is an ensemble, so that its epoch goes on. */
export function recoveredConfig(
  text: string,
  survivors: Survivors,
  dynamicFile: string | null,
): string {
  const lines = logicalLines(recoveredText(text, survivors)).map((line) =>
    dynamicFile !== null && /^\s*dynamicConfigFile\b/.test(line)
      ? `dynamicConfigFile=${propertyText(dynamicFile)}`
      : line,
  );
  while (lines.at(-1)?.trim() === '') lines.pop();
  return `${lines.join('\n')}\nstandaloneEnabled=false\n`;
}

/** Beside the old one; its version, in its name, is newer than any that was in force. */
export function nextDynamicFile(file: string, newestZxid: bigint): string {
  const base = file.replace(/^.*[/\\]/, '').replace(/\.[0-9a-fA-F]{1,16}$/, '');
  return join(dirname(file), `${base}.${(newestZxid + 1n).toString(16)}`);
}

function commented(line: string): string {
  return line
    .split('\n')
    .map((part) => note + part)
    .join('\n');
}

/** Without their ends; a line that ends with an odd number of backslashes goes on in the next. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let open: string | null = null;
  for (const natural of text.split(/\r\n|\n|\r/)) {
    const line: string = open === null ? natural : `${open}\n${natural}`;
    const slashes = /\\*$/.exec(natural)?.[0].length ?? 0;
    const isComment = open === null && /^\s*[#!]/.test(natural);
    if (slashes % 2 === 1 && !isComment) {
      open = line;
      continue;
    }
    lines.push(line);
    open = null;
  }
  if (open !== null) lines.push(open);
  return lines;
}
