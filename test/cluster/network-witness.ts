/**
 * Watches an ensemble from outside for two leaders in one epoch: by what servers say of themselves,
 * and by the zxids under which writes were acknowledged. No zxid is acknowledged twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Members } from './members.js';

const POLL_MS = 100;
const ANSWER_MS = 500;

export class Witness {
  readonly #members: Members;
  readonly #problems: string[];
  readonly #leaders = new Map<number, number>();
  readonly #writes = new Map<bigint, string>();
  #isWatching = true;

  constructor(members: Members, problems: string[]) {
    this.#members = members;
    this.#problems = problems;
  }

  acknowledged(zxid: bigint, what: string): void {
    const earlier = this.#writes.get(zxid);
    if (earlier !== undefined) {
      const shown = zxid.toString(16);
      this.#problems.push(`zxid ${shown} was acknowledged twice: ${earlier}, and ${what}`);
    }
    this.#writes.set(zxid, what);
  }

  /** Epochs in which somebody was seen leading. */
  get epochs(): number {
    return this.#leaders.size;
  }

  async watch(): Promise<void> {
    await Promise.all(this.#members.sids.map((sid) => this.#watchOne(sid)));
  }

  stop(): void {
    this.#isWatching = false;
  }

  async #watchOne(sid: number): Promise<void> {
    while (this.#isWatching) {
      const text = await this.#members.word(sid, 'srvr', ANSWER_MS);
      const epoch = /^Zxid: 0x([0-9a-f]+)[0-9a-f]{8}$/m.exec(text)?.[1];
      if (epoch !== undefined && /^Mode: leader$/m.test(text)) this.#leads(sid, epoch);
      await sleep(POLL_MS);
    }
  }

  #leads(sid: number, shown: string): void {
    const epoch = Number.parseInt(shown, 16);
    const other = this.#leaders.get(epoch) ?? sid;
    this.#leaders.set(epoch, sid);
    if (other === sid) return;
    this.#problems.push(`servers ${other} and ${sid} both lead in epoch ${epoch}`);
  }
}
