/** The ensemble's configuration: config shows it, reconfig changes it. */
import { readFileSync } from 'node:fs';
import { done, type Answer, type Call } from '../command.js';
import { CommandUsageError } from '../failure.js';
import { statJson, statText } from '../stat-text.js';
import type { ReconfigOptions } from '../../../client/types.js';

export async function config(call: Call): Promise<Answer> {
  const { client, flags, signal } = call;
  const watch = flags.has('w') ? { watch: call.watched } : {};
  const { data, stat } = await client.getConfig({ ...watch, signal });
  const text = data.toString('utf8');
  const shown = flags.has('c') ? connectStringOf(text) : text;
  return {
    text: flags.has('s') ? `${shown}\n${await statText(stat)}` : shown,
    json: { config: text, connectString: connectStringOf(text), stat: statJson(stat) },
  };
}

/** The version, then the addresses for clients: `100000000 h1:2181,h2:2181`. */
function connectStringOf(text: string): string {
  const version = /^version=(.*)$/m.exec(text)?.[1] ?? '';
  const addresses: string[] = [];
  for (const [, member = ''] of text.matchAll(/^server\.\d+=(.*)$/gm)) {
    const client = clientAddressOf(member.trim());
    if (client !== null) addresses.push(client);
  }
  return `${version} ${addresses.join(',')}`;
}

/** A port alone stands for every address of that host. */
function clientAddressOf(member: string): string | null {
  const [, address] = member.split(';');
  if (address === undefined || address === '') return null;
  return address.includes(':') ? address : `0.0.0.0:${address}`;
}

export async function reconfig(call: Call): Promise<Answer> {
  const { flags, client, signal } = call;
  const { data, stat } = await client.reconfig({ ...changeOf(call), signal });
  const text = data.toString('utf8');
  const shown = `Committed new configuration:\n${text}`;
  return {
    ...done,
    text: flags.has('s') ? `${shown}\n${await statText(stat)}` : shown,
    json: { config: text, stat: statJson(stat) },
  };
}

function changeOf({ flags }: Call): ReconfigOptions {
  const [add, remove, members, file] = ['add', 'remove', 'members', 'file'].map((name) =>
    flags.text(name),
  );
  const isWhole = members !== undefined || file !== undefined;
  const isStep = add !== undefined || remove !== undefined;
  if (!isWhole && !isStep) {
    throw new CommandUsageError('what is to change? -add and -remove, or -members, or -file');
  }
  if (isWhole && isStep) {
    throw new CommandUsageError(
      '-members and -file name all members, -add and -remove a difference: not both',
    );
  }
  if (members !== undefined && file !== undefined) {
    throw new CommandUsageError('-members and -file both name all members: one of them');
  }
  const all = file === undefined ? members?.toLowerCase() : membersIn(file);
  return {
    ...(add === undefined ? {} : { joining: add.toLowerCase() }),
    ...(remove === undefined ? {} : { leaving: remove }),
    ...(all === undefined ? {} : { members: all }),
    ...fromVersion(flags.text('v')),
  };
}

function fromVersion(text: string | undefined): { fromVersion?: bigint } {
  if (text === undefined) return {};
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(text)) {
    throw new CommandUsageError('-v is the version of a configuration, in hexadecimal');
  }
  return { fromVersion: BigInt(text.startsWith('0x') ? text : `0x${text}`) };
}

/** The lines of a configuration file that say who belongs to the ensemble. */
function membersIn(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandUsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(server|group|weight)\.\d+\s*=/.test(line));
  if (lines.length === 0) throw new CommandUsageError(`${file} names no server`);
  return lines.map((line) => line.replace(/\s*=\s*/, '=')).join(',');
}
