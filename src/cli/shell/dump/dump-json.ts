/**
 * A dump as JSON: `{"format": "zabra-export", "version": 1, "root", "nodes": [{"path", "data",
 * "encoding", "acl", "kind", "ttlMs"}]}`. What is usual is left out: no data, UTF-8, an open ACL, a
 * persistent znode.
 */
import { Acls } from '../../../client/acls.js';
import type { Acl } from '../../../client/types.js';
import { validatePath } from '../../../protocol/paths.js';
import { aclEntryOf, aclEntryText, isSameAcl } from '../acl-text.js';
import { bytesOfBase64, dataJson } from '../data-text.js';
import { CommandUsageError } from '../failure.js';
import { DumpFormatError, dumpOf, type Dump, type DumpedNode, type NodeKind } from './dump.js';

const format = 'zabra-export';
const formatVersion = 1;

export function dumpJson({ root, nodes }: Dump): Record<string, unknown> {
  return { format, version: formatVersion, root, nodes: nodes.map(nodeJson) };
}

/** A line for each znode, so that changes of it are seen by line. */
export function writeDumpJson({ root, nodes }: Dump): string {
  const head = JSON.stringify({ format, version: formatVersion, root }).slice(0, -1);
  const lines = nodes.map((node) => `  ${JSON.stringify(nodeJson(node))}`);
  return `${head},"nodes":[\n${lines.join(',\n')}\n]}\n`;
}

function nodeJson({ path, data, acl, kind, ttlMs }: DumpedNode): Record<string, unknown> {
  const { data: text, encoding } = dataJson(data);
  return {
    path,
    ...(text === '' ? {} : { data: text }),
    ...(encoding === 'utf8' ? {} : { encoding }),
    ...(isSameAcl(acl, Acls.open) ? {} : { acl: acl.map(aclEntryText) }),
    ...(kind === 'persistent' ? {} : { kind }),
    ...(kind === 'ttl' ? { ttlMs } : {}),
  };
}

export function readDumpJson(text: string): Dump {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DumpFormatError((error as Error).message, { cause: error });
  }
  const { format: given, version, root, nodes } = recordOf(value, 'it');
  if (given !== format || version !== formatVersion) {
    throw new DumpFormatError(`it is not "format": "${format}", "version": ${formatVersion}`);
  }
  if (typeof root !== 'string') throw new DumpFormatError('"root" must be a path');
  if (!Array.isArray(nodes)) throw new DumpFormatError('"nodes" must be a list');
  return dumpOf(checked(root), nodes.map(nodeOf));
}

function nodeOf(value: unknown, index: number): DumpedNode {
  const node = recordOf(value, `node ${index}`);
  const { path, data = '', encoding = 'utf8', kind = 'persistent', ttlMs = 0, acl = [] } = node;
  if (typeof path !== 'string') throw new DumpFormatError(`node ${index} has no path`);
  if (typeof data !== 'string') throw new DumpFormatError(`${path}: "data" must be a string`);
  if (!isKind(kind) || typeof ttlMs !== 'number') {
    throw new DumpFormatError(`${path}: "kind" is persistent, container or ttl with "ttlMs"`);
  }
  const bytes = encoding === 'base64' ? bytesOfBase64(data) : Buffer.from(data);
  if (bytes === null || (encoding !== 'base64' && encoding !== 'utf8')) {
    throw new DumpFormatError(`${path}: "encoding" is utf8 or base64`);
  }
  return { path: checked(path), data: bytes, acl: aclIn(path, acl), kind, ttlMs };
}

function aclIn(path: string, value: unknown): readonly Acl[] {
  const isTexts = Array.isArray(value) && value.every((entry) => typeof entry === 'string');
  if (!isTexts) throw new DumpFormatError(`${path}: "acl" is a list of scheme:id:perms`);
  try {
    return value.length === 0 ? Acls.open : value.map(aclEntryOf);
  } catch (error) {
    if (!(error instanceof CommandUsageError)) throw error;
    throw new DumpFormatError(`${path}: ${error.message}`, { cause: error });
  }
}

function isKind(value: unknown): value is NodeKind {
  return value === 'persistent' || value === 'container' || value === 'ttl';
}

function recordOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DumpFormatError(`${what} is no object`);
  }
  return value as Record<string, unknown>;
}

function checked(path: string): string {
  const reason = validatePath(path);
  if (reason !== null) throw new DumpFormatError(`${path}: ${reason}`);
  return path;
}
