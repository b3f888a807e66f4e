/**
 * All that a server shows after a sync: each znode with its data and stat, and the digests of its
 * history. Pictures of the servers of one ensemble at rest are the same.
 */
import { OpCode, Reader } from 'zabra/protocol';
import { fourLetterWord, type Address } from '../support/four-letter.js';
import { body, readAcl, readStat, readStrings } from '../support/requests.js';
import { TestClient } from '../support/test-client.js';

const WINDOW = 200;
/** Nothing here changes ACLs: of every so many znodes one is asked for its own. */
const ACL_EVERY = 8;

export interface Znode {
  readonly data: string;
  readonly numChildren: number;
  /** Everything else, in a form to compare. */
  readonly rest: string;
}

export interface Picture {
  readonly znodes: ReadonlyMap<string, Znode>;
  /** zxid to digest. */
  readonly digests: ReadonlyMap<string, string>;
  readonly digestMismatches: string;
}

async function readZnode(client: TestClient, path: string): Promise<Znode | null> {
  const xid = client.post(OpCode.getData, body.pathAndWatch(path, false));
  const acl = hasAclRead(path) ? client.post(OpCode.getACL, body.path(path)) : null;
  const [reply, aclReply] = await Promise.all([
    client.reply(xid),
    acl === null ? null : client.reply(acl),
  ]);
  // between the listing and now: an ephemeral, for instance
  if (reply.err !== 0 || (aclReply !== null && aclReply.err !== 0)) return null;
  const reader = new Reader().reset(reply.body, 0, reply.body.length);
  const data = Buffer.from(reader.readBuffer() ?? new Uint8Array()).toString('latin1');
  const stat = readStat(reader);
  const acls =
    aclReply === null ? [] : readAcl(new Reader().reset(aclReply.body, 0, aclReply.body.length));
  const rest = Object.entries(stat)
    // each server writes its configuration there by itself, when it learns of it
    .filter(([name]) => path !== '/zookeeper/config' || name !== 'mtime')
    .map(([name, value]) => `${name}=${typeof value === 'bigint' ? value.toString(16) : value}`)
    .concat(acls.map(({ perms, scheme, id }) => `acl=${perms} ${scheme ?? ''}:${id ?? ''}`));
  return { data, numChildren: stat.numChildren, rest: rest.join(' ') };
}

/** The same ones on every server; those at the top always. */
function hasAclRead(path: string): boolean {
  let sum = 0;
  let depth = 0;
  for (const letter of path) {
    sum += letter.charCodeAt(0);
    if (letter === '/') depth++;
  }
  return depth < 2 || sum % ACL_EVERY === 0;
}

async function walk(client: TestClient): Promise<Map<string, Znode>> {
  const znodes = new Map<string, Znode>();
  let level = ['/'];
  while (level.length > 0) {
    const next: string[] = [];
    for (let at = 0; at < level.length; at += WINDOW) {
      const window = level.slice(at, at + WINDOW);
      const read = await Promise.all(window.map((path) => readZnode(client, path)));
      for (const [index, path] of window.entries()) {
        const znode = read[index] ?? null;
        if (znode === null) continue;
        znodes.set(path, znode);
        if (znode.numChildren > 0) next.push(...(await childrenOf(client, path)));
      }
    }
    level = next;
  }
  return znodes;
}

async function childrenOf(client: TestClient, path: string): Promise<string[]> {
  const reply = await client.call(OpCode.getChildren, body.pathAndWatch(path, false));
  if (reply.err !== 0) return [];
  const names = readStrings(new Reader().reset(reply.body, 0, reply.body.length)).sort();
  return names.map((name) => (path === '/' ? `/${name}` : `${path}/${name}`));
}

export async function pictureOf(address: Address): Promise<Picture> {
  const client = await TestClient.connect(address, { timeoutMs: 60_000 });
  const { err } = await client.sync('/');
  if (err !== 0) throw new Error(`sync was answered with ${err}`);
  const znodes = await walk(client);
  await client.close();
  const digests = new Map<string, string>();
  for (const line of (await fourLetterWord(address, 'hash')).split('\n')) {
    const [at = '', digest] = line.split(': ');
    if (digest !== undefined) digests.set(at, digest);
  }
  const monitored = await fourLetterWord(address, 'mntr');
  const mismatches = /zk_digest_mismatches_count\t(\d+)/.exec(monitored)?.[1];
  return { znodes, digests, digestMismatches: mismatches ?? 'no figure' };
}

/** What is not the same; with names for the two. */
export function differences(one: Picture, other: Picture, names: string): string[] {
  const lines: string[] = [];
  for (const path of new Set([...one.znodes.keys(), ...other.znodes.keys()])) {
    const [left, right] = [one.znodes.get(path), other.znodes.get(path)];
    if (left?.data === right?.data && left?.rest === right?.rest) continue;
    lines.push(`${names} differ at ${path}:\n     ${shown(left)}\n     ${shown(right)}`);
  }
  for (const [zxid, digest] of one.digests) {
    const second = other.digests.get(zxid);
    if (second === undefined || second === digest) continue;
    lines.push(`${names}: digests at ${zxid} are ${digest} and ${second}`);
  }
  for (const { digestMismatches } of [one, other]) {
    if (digestMismatches !== '0') lines.push(`${names}: digest mismatches: ${digestMismatches}`);
  }
  return lines;
}

/** Digests that both have: the comparison has compared something. */
export function commonDigests(one: Picture, other: Picture): number {
  return [...one.digests.keys()].filter((zxid) => other.digests.has(zxid)).length;
}

function shown(znode: Znode | undefined): string {
  return znode === undefined ? 'missing' : `"${znode.data.slice(0, 60)}" ${znode.rest}`;
}
