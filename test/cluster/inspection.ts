/**
 * The look at an ensemble at rest: all servers show the same, ledgers and znodes agree, sessions that
 * live have their ephemerals, and those that ended have none.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Mayflies } from './mayfly.js';
import type { Members } from './members.js';
import { commonDigests, differences, pictureOf, type Picture } from './picture.js';
import type { Contended, Writer } from './writer.js';

/** Beyond a session's timeout, until its end is everywhere. */
const SLACK_MS = 5000;
/** A session that a new leader takes over starts to time out anew. */
const POLL_MS = 100;

export interface Subject {
  readonly members: Members;
  readonly writers: readonly Writer[];
  readonly contended: Contended;
  readonly mayflies: Mayflies;
}

export interface Finding {
  readonly problems: readonly string[];
  readonly znodes: number;
  readonly comparedDigests: number;
  /** Of the problems: what was acknowledged and is not there. */
  readonly lostCount: number;
  /** Of the problems: ephemerals without a session, one on each server that shows it. */
  readonly orphanCount: number;
}

export async function inspect(subject: Subject): Promise<Finding> {
  const { members, writers, contended, mayflies } = subject;
  const problems = members.deaths.splice(0);
  const pictures = await settled(subject);
  const [first] = pictures;
  if (first === undefined) throw new Error('an ensemble without servers');
  let comparedDigests = 0;
  let [lostCount, orphanCount] = [0, 0];
  for (const [index, other] of pictures.entries()) {
    const sid = members.sids[index] ?? 0;
    for (const path of mayflies.leftIn(other.znodes)) {
      problems.push(`${path} is on server ${sid}, its session has ended`);
      orphanCount++;
    }
    if (index === 0) continue;
    problems.push(...differences(first, other, `servers ${members.sids[0] ?? 0} and ${sid}`));
    comparedDigests += commonDigests(first, other);
  }
  mayflies.forget();
  const byDirectory = payloadsIn(first);
  for (const { ledger, ephemeral } of writers) {
    const number = Number(first.znodes.get(ledger.register)?.data ?? 'NaN');
    const found = byDirectory.get(ledger.directory) ?? new Map<string, string[]>();
    const lostBefore = ledger.lostCount;
    problems.push(...ledger.check(found, number));
    lostCount += ledger.lostCount - lostBefore;
    if (ephemeral !== null && !first.znodes.has(ephemeral)) {
      problems.push(`${ephemeral} is gone, and its session lives`);
      lostCount++;
    }
  }
  const version = Number(/\bversion=(\d+)/.exec(first.znodes.get(contended.path)?.rest ?? '')?.[1]);
  for (const made of contended.versions) {
    if (made <= version) continue;
    problems.push(`${contended.path} is at ${version}, ${made} was made`);
    contended.versions.delete(made);
    lostCount++;
  }
  return { problems, znodes: first.znodes.size, comparedDigests, lostCount, orphanCount };
}

/** Pictures of all servers, once the sessions that have ended are gone, or should be. */
async function settled({ members, mayflies }: Subject): Promise<Picture[]> {
  const endMs = Date.now() + mayflies.timeoutMs + SLACK_MS;
  for (;;) {
    const paths = await Promise.all(members.sids.map((sid) => members.word(sid, 'dump')));
    const isOver = paths.every((dump) => !dump.includes('/ephemerals/mayfly-'));
    if (isOver || Date.now() > endMs) break;
    await sleep(POLL_MS);
  }
  const pictures = await Promise.all(members.sids.map((sid) => pictureOf(members.addressOf(sid))));
  return pictures.map((picture, index) => withoutApachesOwn(members, index, picture));
}

/**
 * Where one server of Apache's follows another, it now and then counts mismatches of digests while it
 * synchronises, and then holds the same, digests too: nobody else had a part in that. What it holds is
 * compared all the same.
 */
function withoutApachesOwn(members: Members, index: number, picture: Picture): Picture {
  const kinds = members.sids.map((sid) => members.kindOf(sid));
  const isAmongItsOwn = kinds.filter((kind) => kind === 'apache').length > 1;
  return isAmongItsOwn && kinds[index] === 'apache'
    ? { ...picture, digestMismatches: '0' }
    : picture;
}

/** Directory to payload to paths. */
function payloadsIn({ znodes }: Picture): Map<string, Map<string, string[]>> {
  const found = new Map<string, Map<string, string[]>>();
  for (const [path, { data }] of znodes) {
    const slash = path.lastIndexOf('/');
    if (slash <= 0) continue;
    const directory = path.slice(0, slash);
    const payloads = found.get(directory) ?? new Map<string, string[]>();
    found.set(directory, payloads);
    const paths = payloads.get(data);
    if (paths === undefined) payloads.set(data, [path]);
    else paths.push(path);
  }
  return found;
}
