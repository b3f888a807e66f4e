/**
 * `node build/test/cluster/autopilot.js [zzzzz] [zzzza …]`: five servers as processes, whose leader takes
 * out who stays away (`autopilot.deadMs`), clients that write all the time. A follower is killed, seen to
 * leave the configuration, started, and seen in it again; then the leader; then two at once, of which
 * none may be taken out. At the end every server has what was acknowledged, and all show the same. The
 * initials are those of the servers 1 to 5: ours, or Apache's, which follows and understands none of it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Load } from '../interop/reconfig/load.js';
import { Town } from '../interop/reconfig/town.js';
import { fourLetterWord } from '../support/four-letter.js';
import type { Kind } from './members.js';
import { commonDigests, differences, pictureOf } from './picture.js';

const DEAD_MS = 2000;
const POLL_MS = 50;
const PATIENCE_MS = 20_000;
const kindOf: Readonly<Record<string, Kind>> = { a: 'apache', z: 'zabra' };
const sids = [1, 2, 3, 4, 5];

class Trial {
  readonly #town = new Town({ 'autopilot.deadMs': String(DEAD_MS) });
  readonly #load = new Load(this.#town);
  readonly #kinds: readonly Kind[];

  constructor(kinds: readonly Kind[]) {
    this.#kinds = kinds;
  }

  async begin(): Promise<void> {
    const town = this.#town;
    for (const [index, kind] of this.#kinds.entries()) await town.add(index + 1, kind);
    for (const sid of sids) {
      town.settle(
        sid,
        sids.map((other) => [other, 'participant'] as const),
      );
      town.initialize(sid);
    }
    await Promise.all(sids.map((sid) => town.start(sid)));
  }

  async leader(): Promise<number> {
    const endMs = Date.now() + PATIENCE_MS;
    while (Date.now() < endMs) {
      for (const sid of sids) if ((await this.#town.modeOf(sid)) === 'leader') return sid;
      await sleep(POLL_MS);
    }
    throw new Error('nobody leads');
  }

  /** An autopilot is a leader's of ours: so is the one that leads at the beginning. */
  async #followers(): Promise<{ readonly leader: number; readonly followers: number[] }> {
    const leader = await this.leader();
    return { leader, followers: sids.filter((sid) => sid !== leader) };
  }

  async load(): Promise<void> {
    const { leader, followers } = await this.#followers();
    // through those that stay
    await this.#load.begin([followers[1] ?? 0, followers[2] ?? 0].filter((sid) => sid !== leader));
  }

  async follower(): Promise<string> {
    const { leader, followers } = await this.#followers();
    const [victim = 0] = followers;
    const outMs = await this.#killAndSeeOut([victim], victim);
    await this.#checkFigures(leader, victim);
    const inMs = await this.#startAndSeeIn([victim], victim);
    return `follower ${victim}: out after ${outMs} ms, in again after ${inMs} ms`;
  }

  async leading(): Promise<string> {
    const { leader } = await this.#followers();
    const outMs = await this.#killAndSeeOut([leader], leader);
    const inMs = await this.#startAndSeeIn([leader], leader);
    return `leader ${leader}: out after ${outMs} ms, in again after ${inMs} ms`;
  }

  /** Two at once: none is taken out. One of them comes back: then the other is. */
  async two(): Promise<string> {
    const { followers } = await this.#followers();
    const [first = 0] = followers;
    const second = followers[3] ?? 0;
    await Promise.all([first, second].map((sid) => this.#town.stop(sid, 'SIGKILL')));
    await sleep(2 * DEAD_MS);
    const there = await this.#voters();
    if (there.length !== sids.length) throw new Error(`two are away, and ${there.join()} vote`);
    const startMs = Date.now();
    await this.#town.start(first);
    await this.#untilVoters((voters) => !voters.includes(second), `server ${second} is not out`);
    const outMs = Date.now() - startMs;
    const inMs = await this.#startAndSeeIn([second], second);
    return `two at once, none was out; ${second} out after ${outMs} ms, in again after ${inMs} ms`;
  }

  async problems(): Promise<string[]> {
    const problems = await this.#load.problems(sids);
    const pictures = await Promise.all(sids.map((sid) => pictureOf(this.#town.addressOf(sid))));
    const [first, ...others] = pictures;
    if (first === undefined) return problems;
    for (const [index, other] of others.entries()) {
      problems.push(...differences(first, other, `servers 1 and ${index + 2}`));
      if (commonDigests(first, other) === 0) problems.push('no digest could be compared');
    }
    return problems;
  }

  async dispose(isToBeKept: boolean): Promise<void> {
    this.#load.stop();
    await this.#town.dispose(isToBeKept);
    if (isToBeKept) console.log(`what the servers left behind: ${this.#town.home}`);
  }

  async #killAndSeeOut(killed: readonly number[], out: number): Promise<number> {
    const startMs = Date.now();
    await Promise.all(killed.map((sid) => this.#town.stop(sid, 'SIGKILL')));
    await this.#untilVoters((voters) => !voters.includes(out), `server ${out} is not out`);
    const tookMs = Date.now() - startMs;
    if (tookMs < DEAD_MS) throw new Error(`server ${out} was taken out after ${tookMs} ms`);
    return tookMs;
  }

  async #startAndSeeIn(started: readonly number[], back: number): Promise<number> {
    const startMs = Date.now();
    await Promise.all(started.map((sid) => this.#town.start(sid)));
    await this.#untilVoters((voters) => voters.includes(back), `server ${back} is not in`);
    return Date.now() - startMs;
  }

  async #checkFigures(leader: number, out: number): Promise<void> {
    const figures = await this.#figures(leader);
    const wanted = { zk_autopilot_dead_ms: String(DEAD_MS), zk_autopilot_out_count: '1' };
    for (const [key, value] of Object.entries(wanted)) {
      if (figures.get(key) !== value) throw new Error(`${key} is ${figures.get(key) ?? 'missing'}`);
    }
    const line = this.#town.lineOf(out);
    for (const sid of sids) {
      if (sid === out || this.#kinds[sid - 1] === 'apache') continue;
      const shown = (await this.#figures(sid)).get(`zk_autopilot_out_${out}_line`);
      if (shown !== line) throw new Error(`server ${sid} shows ${shown ?? 'nothing'} of ${line}`);
    }
  }

  async #figures(sid: number): Promise<ReadonlyMap<string, string>> {
    const text = await fourLetterWord(this.#town.addressOf(sid), 'mntr');
    const pairs = text.split('\n').map((line) => line.split('\t'));
    return new Map(pairs.map(([key = '', value = '']) => [key, value]));
  }

  /** By the configuration that the leader has in force. */
  async #voters(): Promise<number[]> {
    const text = await fourLetterWord(this.#town.addressOf(await this.leader()), 'conf');
    const lines = text.matchAll(/^server\.(\d+)=.*:participant/gm);
    return [...lines].map(([, sid]) => Number(sid)).sort();
  }

  async #untilVoters(isSo: (voters: number[]) => boolean, complaint: string): Promise<void> {
    const endMs = Date.now() + PATIENCE_MS;
    while (!isSo(await this.#voters().catch(() => sids))) {
      if (Date.now() > endMs) throw new Error(`${complaint} after ${PATIENCE_MS} ms`);
      await sleep(POLL_MS);
    }
  }
}

async function run(name: string): Promise<readonly string[]> {
  const kinds = Array.from(name).flatMap((initial) => kindOf[initial] ?? []);
  if (kinds.length !== sids.length) throw new Error(`five initials, a or z, not '${name}'`);
  const trial = new Trial(kinds);
  let problems: readonly string[] = ['it did not come to an end'];
  try {
    await trial.begin();
    await trial.load();
    console.log(`${name}: ${await trial.follower()}`);
    console.log(`${name}: ${await trial.leading()}`);
    console.log(`${name}: ${await trial.two()}`);
    problems = await trial.problems();
  } catch (error) {
    problems = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  } finally {
    await trial.dispose(problems.length > 0);
  }
  return problems;
}

const names = process.argv.slice(2);
let failed = 0;
for (const name of names.length === 0 ? ['zzzzz'] : names) {
  const startMs = Date.now();
  const problems = await run(name);
  for (const problem of problems.slice(0, 10)) console.log(`FAIL ${name}: ${problem}`);
  if (problems.length > 0) failed++;
  console.log(
    `${name}: ${problems.length} problems, ${Math.round((Date.now() - startMs) / 1000)} s`,
  );
}
process.exitCode = failed === 0 ? 0 : 1;
