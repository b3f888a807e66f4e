/** All that a server shows of its data, as lines: znodes with stat and ACL, ephemerals, digests. */
import { fourLetterWord } from '../../support/four-letter.js';
import type { ServerProcess } from '../../support/server-process.js';
import type { ConnectReply } from '../../support/raw-client.js';
import { TestClient } from '../../support/test-client.js';
import { superPassword } from '../suite.js';

export interface Picture {
  readonly znodes: ReadonlyMap<string, string>;
  /** Of the 4lw dump: each owner with its paths. */
  readonly ephemerals: readonly string[];
  /** Of the 4lw hash: zxid to digest. */
  readonly digests: ReadonlyMap<string, string>;
  readonly digestMismatches: string;
  /** What became of each session that the writer had when it was killed. */
  readonly sessions: readonly string[];
  /** Before this picture was taken. */
  readonly zxid: bigint;
}

async function walk(client: TestClient, path: string, into: Map<string, string>): Promise<void> {
  const [data, acl, children] = await Promise.all([
    client.getData(path),
    client.getAcl(path),
    client.getChildren(path),
  ]);
  if (data.value === null || children.value === null) throw new Error(`${path}: err ${data.err}`);
  const shown = { ...data.value.stat, data: data.value.data, acl: acl.value?.acl };
  into.set(
    path,
    JSON.stringify(shown, (_key, value: unknown) => {
      if (typeof value === 'bigint') return `0x${BigInt.asUintN(64, value).toString(16)}`;
      return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
    }),
  );
  for (const name of children.value) {
    await walk(client, path === '/' ? `/${name}` : `${path}/${name}`, into);
  }
}

function ephemeralsIn(dump: string): string[] {
  const from = dump.indexOf('ephemeral nodes dump:');
  const to = dump.indexOf('Connections dump:');
  const owners: string[] = [];
  let paths: string[] = [];
  const flush = (owner: string | null): void => {
    const last = owners.pop();
    if (last !== undefined) owners.push(`${last} ${paths.sort().join(' ')}`);
    if (owner !== null) owners.push(owner);
    paths = [];
  };
  for (const line of dump.slice(from, to).split('\n').slice(2)) {
    if (line.startsWith('\t')) paths.push(line.trim());
    else if (line !== '') flush(line);
  }
  flush(null);
  return owners.sort();
}

/** Takes the session up by id and password, as its client would. */
async function sessionLine(server: ServerProcess, earlier: ConnectReply): Promise<string> {
  const client = await TestClient.open(server);
  const { sessionId, password } = earlier;
  const reply = await client.handshake({ sessionId, password, timeoutMs: 60_000 });
  const id = sessionId.toString(16);
  if (reply?.sessionId !== sessionId) return `${id} is gone`;
  const ephemerals = await client.getEphemerals('/');
  client.destroy();
  return `${id} timeout ${reply.timeoutMs} ${(ephemerals.value ?? []).join(' ')}`;
}

export async function pictureOf(
  server: ServerProcess,
  sessions: readonly ConnectReply[],
): Promise<Picture> {
  const client = await TestClient.connect(server, { timeoutMs: 60_000 });
  const znodes = new Map<string, string>();
  const { zxid } = await client.ping();
  await client.auth('digest', superPassword);
  await walk(client, '/', znodes);
  const digests = new Map<string, string>();
  for (const line of (await fourLetterWord(server, 'hash')).split('\n')) {
    const [at = '', digest] = line.split(': ');
    if (digest !== undefined) digests.set(at, digest);
  }
  const monitored = await fourLetterWord(server, 'mntr');
  const lines: string[] = [];
  for (const session of sessions) lines.push(await sessionLine(server, session));
  const picture = {
    znodes,
    ephemerals: ephemeralsIn(await fourLetterWord(server, 'dump')),
    digests,
    digestMismatches: /zk_digest_mismatches_count\t(\d+)/.exec(monitored)?.[1] ?? 'none shown',
    zxid: zxid - 1n,
    sessions: lines,
  };
  await client.close();
  return picture;
}

/** What is not the same in two pictures, at most ten lines. */
export function differences(one: Picture, other: Picture): string[] {
  const lines: string[] = [];
  if (one.zxid !== other.zxid) lines.push(`last zxid: ${one.zxid} and ${other.zxid}`);
  for (const path of new Set([...one.znodes.keys(), ...other.znodes.keys()])) {
    const [left, right] = [one.znodes.get(path), other.znodes.get(path)];
    if (left !== right)
      lines.push(`${path}:\n     ${left ?? 'missing'}\n     ${right ?? 'missing'}`);
  }
  const [left, right] = [one.ephemerals.join('\n     '), other.ephemerals.join('\n     ')];
  if (left !== right) lines.push(`ephemerals:\n     ${left}\n     and\n     ${right}`);
  for (const [index, line] of one.sessions.entries()) {
    const there = other.sessions[index] ?? '';
    if (line !== there) lines.push(`session:\n     ${line}\n     ${there}`);
  }
  // within a fuzzy snapshot's window a server may leave one out; those both have must agree
  for (const [zxid, first] of one.digests) {
    const second = other.digests.get(zxid);
    if (second !== undefined && first !== second) {
      lines.push(`digest at ${zxid}: ${first} and ${second}`);
    }
  }
  const lastOf = (digests: ReadonlyMap<string, string>): string => [...digests.keys()].at(-1) ?? '';
  if (
    one.digests.size > 0 &&
    other.digests.size > 0 &&
    lastOf(one.digests) !== lastOf(other.digests)
  ) {
    lines.push(`last digests at ${lastOf(one.digests)} and ${lastOf(other.digests)}`);
  }
  if (one.digestMismatches !== '0' || other.digestMismatches !== '0') {
    lines.push(`digest mismatches: ${one.digestMismatches} and ${other.digestMismatches}`);
  }
  return lines.slice(0, 10);
}
