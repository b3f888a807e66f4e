/** A client that asks for whatever comes into its mind, several things at a time. */
import type { SeededRandom } from '../../base/random.js';
import { OpCode } from '../../protocol/opcodes.js';
import { MultiRequest } from '../../protocol/records.js';
import type { Asked } from './client-view.fixture.js';
import type { RawClient } from './raw-client.fixture.js';

export const paths = ['/a', '/b', '/a/x', '/a/y', '/b/z'] as const;

export interface Habits {
  /** The most requests that it has unanswered. */
  readonly outstandingMax: number;
  readonly writes: number;
  readonly lastingWatches: number;
}

export class RandomClient {
  readonly raw: RawClient;
  readonly asked: Asked[] = [];
  readonly #random: SeededRandom;
  readonly #habits: Habits;

  constructor(raw: RawClient, random: SeededRandom, habits: Habits) {
    this.raw = raw;
    this.#random = random;
    this.#habits = habits;
  }

  get outstanding(): number {
    return this.asked.length - this.raw.replies.filter(({ xid }) => xid > 0).length;
  }

  step(): void {
    if (this.raw.isClosed) return;
    const room = this.#habits.outstandingMax - this.outstanding;
    for (let i = this.#random.between(0, Math.max(0, room)); i > 0; i--) this.ask();
  }

  ask(): void {
    const random = this.#random;
    if (random.chance(0.02)) this.raw.auth('digest', `user${random.below(3)}:x`);
    if (random.chance(0.05)) this.raw.ping();
    if (random.chance(this.#habits.writes)) this.#write();
    else this.#read();
  }

  #read(): void {
    const random = this.#random;
    const path = random.pick(paths);
    if (random.chance(this.#habits.lastingWatches)) {
      const mode = random.below(2);
      this.#note(this.raw.addWatch(path, mode === 1), OpCode.addWatch, path, false, mode);
      return;
    }
    const watch = random.chance(0.6);
    switch (random.below(6)) {
      case 0:
        this.#note(this.raw.sync(path), OpCode.sync, path);
        return;
      case 1: {
        const type = random.between(1, 5);
        this.#note(this.raw.removeWatches(path, type), OpCode.removeWatches, path, false, type);
        return;
      }
      case 2:
        this.#note(this.raw.getData(path, watch), OpCode.getData, path, watch);
        return;
      case 3:
        this.#note(this.raw.getChildren(path, watch), OpCode.getChildren, path, watch);
        return;
      default:
        this.#note(this.raw.exists(path, watch), OpCode.exists, path, watch);
    }
  }

  #write(): void {
    const random = this.#random;
    const path = random.pick(paths);
    switch (random.below(4)) {
      case 0:
        this.#note(this.raw.create(path, `d${random.below(9)}`), OpCode.create, path);
        return;
      case 1:
        this.#note(this.raw.delete(path), OpCode.delete, path);
        return;
      case 2:
        this.#note(this.raw.setData(path, `s${random.below(99)}`), OpCode.setData, path);
        return;
      default:
        this.#note(this.#multi(path), OpCode.multi, path);
    }
  }

  /** Several changes with one zxid. */
  #multi(path: string): number {
    const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];
    const create = (at: string): MultiRequest['ops'][number] => ({
      type: OpCode.create,
      request: { path: at, data: new Uint8Array(0), acl, flags: 0 },
    });
    const remove = (at: string): MultiRequest['ops'][number] => ({
      type: OpCode.delete,
      request: { path: at, version: -1 },
    });
    const child = `${path}/m`;
    const ops = this.#random.chance(0.5)
      ? [create(child), remove(child), create(child), remove(child)]
      : [remove(path), create(path)];
    return this.raw.request(OpCode.multi, (out) => MultiRequest.write(out, { ops }));
  }

  #note(xid: number, op: number, path: string, watch = false, mode = 0): void {
    this.asked.push({ xid, op, path, watch, mode });
  }
}
