/**
 * A dump as text that people edit. A path begins a line, what belongs to it follows with two spaces:
 *
 *     root /app
 *     /
 *       = the data of /app itself
 *     /db
 *       acl digest:bob:qbLMbS9MKJPPYxE9xbG4VQTPE98=:cdrwa
 *       = first line
 *       = second line
 *     /raw
 *       base64 AAEC/w==
 *     /jobs
 *       container
 *
 * Lines with `=` are the data with newlines between them; data that would not survive an editor
 * stands as `text` and a JSON string, or as base64. Without an `acl` it is world:anyone:cdrwa.
 */
import { Acls } from '../../../client/acls.js';
import type { Acl } from '../../../client/types.js';
import { validatePath } from '../../../protocol/paths.js';
import { aclEntryOf, aclEntryText, isSameAcl } from '../acl-text.js';
import { bytesOfBase64, utf8Of } from '../data-text.js';
import { CommandUsageError } from '../failure.js';
import { DumpFormatError, dumpOf, type Dump, type DumpedNode, type NodeKind } from './dump.js';

const base64Columns = 76;

export function writeDumpText({ root, nodes }: Dump, comments: readonly string[]): string {
  const lines = [...comments.map((comment) => `# ${comment}`), `root ${quoted(root)}`];
  for (const node of nodes) {
    lines.push(node.path.trimEnd() === node.path ? node.path : JSON.stringify(node.path));
    if (node.kind === 'container') lines.push('  container');
    if (node.kind === 'ttl') lines.push(`  ttl ${node.ttlMs}`);
    if (!isSameAcl(node.acl, Acls.open)) {
      for (const entry of node.acl) lines.push(`  acl ${quoted(aclEntryText(entry))}`);
    }
    lines.push(...dataLines(node.data).map((line) => `  ${line}`));
  }
  return `${lines.join('\n')}\n`;
}

function dataLines(data: Buffer): string[] {
  if (data.length === 0) return [];
  const text = utf8Of(data);
  if (text === null) {
    const pieces = data.toString('base64').match(new RegExp(`.{1,${base64Columns}}`, 'g')) ?? [];
    return pieces.map((piece) => `base64 ${piece}`);
  }
  // what an editor or a copy would change without being asked
  const isFragile = /[^\P{C}\n\t]|[\u2028\u2029]|[ \t\u00a0](\n|$)/u.test(text);
  if (isFragile) return [`text ${JSON.stringify(text)}`];
  return text.split('\n').map((line) => (line === '' ? '=' : `= ${line}`));
}

/** As it is, or as a JSON string where that would not survive an editor. */
function quoted(text: string): string {
  return /^["\s]|\s$|[^\P{C}]/u.test(text) ? JSON.stringify(text) : text;
}

interface Draft {
  readonly path: string;
  readonly acl: Acl[];
  kind: NodeKind;
  ttlMs: number;
  lines: string[] | null;
  base64: string | null;
  text: string | null;
}

export function readDumpText(text: string): Dump {
  let root: string | null = null;
  const drafts: Draft[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    try {
      if (/^[/"]/.test(line)) drafts.push(draftOf(checked(unquoted(line))));
      else if (/^root\s/.test(line)) root = checked(unquoted(line.slice(4).trim()));
      else addTo(drafts.at(-1), line);
    } catch (error) {
      if (!(error instanceof CommandUsageError || error instanceof DumpFormatError)) throw error;
      throw new DumpFormatError(`line ${index + 1}: ${error.message}`, { cause: error });
    }
  }
  if (root === null) throw new DumpFormatError('there is no line that says its root: root /path');
  return dumpOf(root, drafts.map(nodeOf));
}

function draftOf(path: string): Draft {
  return { path, acl: [], kind: 'persistent', ttlMs: 0, lines: null, base64: null, text: null };
}

function addTo(draft: Draft | undefined, line: string): void {
  const [, word = '', rest = ''] = /^\s+(=|[a-z0-9]+)(?:\s(.*))?$/.exec(line) ?? [];
  if (word === '') throw new DumpFormatError(`neither a path nor what belongs to one: ${line}`);
  if (draft === undefined) throw new DumpFormatError('this belongs to no path');
  switch (word) {
    case '=':
      draft.lines = [...(draft.lines ?? []), rest];
      return;
    case 'base64':
      draft.base64 = (draft.base64 ?? '') + rest;
      return;
    case 'text':
      draft.text = unquoted(rest.trim());
      return;
    case 'acl':
      draft.acl.push(aclEntryOf(unquoted(rest.trim())));
      return;
    case 'container':
      draft.kind = 'container';
      return;
    case 'ttl':
      draft.kind = 'ttl';
      draft.ttlMs = Number(rest);
      if (!/^\d+$/.test(rest.trim())) throw new DumpFormatError('ttl takes milliseconds');
      return;
    default:
      throw new DumpFormatError(
        `'${word}' is none of =, text, base64, acl, container and ttl, which follow a path`,
      );
  }
}

function nodeOf({ path, acl, kind, ttlMs, lines, base64, text }: Draft): DumpedNode {
  const given = [lines, base64, text].filter((form) => form !== null);
  if (given.length > 1) throw new DumpFormatError(`${path} has its data in two forms`);
  const data =
    base64 === null ? Buffer.from(text ?? (lines ?? []).join('\n')) : bytesOfBase64(base64);
  if (data === null) throw new DumpFormatError(`${path}: its base64 is none`);
  return { path, data, acl: acl.length === 0 ? Acls.open : acl, kind, ttlMs };
}

function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'string') return value;
  } catch {
    // told below
  }
  throw new DumpFormatError(`this is no JSON string: ${text}`);
}

function checked(path: string): string {
  const reason = validatePath(path);
  if (reason !== null) throw new DumpFormatError(`${path}: ${reason}`);
  return path;
}
