/**
 * What a reconfiguration writes into files: the members into a dynamic file of its own, and into
 * zoo.cfg the name of that, instead of the members. Comments and everything else in zoo.cfg stay as
 * they were.
 */
import { parseProperties } from './java-properties.js';

/** `keepsVersion`: only while it is proposed; otherwise it is in the file's name. */
export function dynamicFileText(configText: string, keepsVersion: boolean): string {
  return configText
    .split('\n')
    .filter((line) => keepsVersion || !line.startsWith('version='))
    .sort()
    .join('\n');
}

/** What stands in the dynamic file, or points to it. */
const members = /^(?:server\.|group|weight|dynamicConfigFile|peerType)/;
const clientAddress = /^clientPort/;

/** `hasClientAddress`: the dynamic file says where clients find this server, so zoo.cfg must not. */
export function staticFileText(
  text: string,
  dynamicFile: string,
  hasClientAddress: boolean,
): string {
  const lines = text.split(/\r\n|\n|\r/);
  const dropped = new Set<number>();
  for (const { key, line } of parseProperties(text).entries) {
    if (!members.test(key) && !(hasClientAddress && clientAddress.test(key))) continue;
    for (let at = line; at <= lines.length; at++) {
      dropped.add(at);
      if (!isContinued(lines[at - 1] ?? '')) break;
    }
  }
  const kept = lines.filter((_line, index) => !dropped.has(index + 1));
  while (kept.at(-1)?.trim() === '') kept.pop();
  kept.push(`dynamicConfigFile=${dynamicFile.replaceAll('\\', '/')}`);
  return `${kept.join('\n')}\n`;
}

function isContinued(line: string): boolean {
  return (/\\*$/.exec(line)?.[0].length ?? 0) % 2 === 1;
}
