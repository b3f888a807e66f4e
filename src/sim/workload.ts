/**
 * What a simulated client asks for next. Swarm testing: each client of each run has its own weights,
 * many of them zero, because some bugs only show when an operation that hides them is absent. Few
 * paths, so that everybody meets everybody; good and bad versions, allowed and forbidden things.
 */
import type { SeededRandom } from '../base/random.js';
import { CreateMode } from '../protocol/create-mode.js';
import { AddWatchMode, WatcherType } from '../protocol/events.js';
import { OpCode } from '../protocol/opcodes.js';
import { Perms } from '../protocol/perms.js';
import type { ACL, MultiOp, Stat } from '../protocol/records.js';
import type { RequestBody } from './requests.js';

export interface WorkloadTraits {
  readonly weights: Readonly<Record<Choice, number>>;
  readonly watchChance: number;
  readonly bigDataChance: number;
  readonly bigDataBytes: number;
  readonly ttl: boolean;
  readonly ttlMs: number;
  readonly aclChance: number;
  readonly pathCount: number;
}

const CHOICES = [
  'create',
  'createSequential',
  'createEphemeral',
  'createContainer',
  'createTtl',
  'delete',
  'setData',
  'setAcl',
  'multi',
  'getData',
  'exists',
  'getChildren',
  'getAcl',
  'sync',
  'multiRead',
  'addWatch',
  'removeWatches',
  'checkWatches',
  'inspect',
  'nonsense',
] as const;

export type Choice = (typeof CHOICES)[number];

const PATHS = ['/a', '/b', '/a/x', '/a/y', '/b/x', '/a/x/p', '/a/x/q', '/c', '/b/x/r', '/c/s'];
const ODD_PATHS = ['/', '/zookeeper', '/zookeeper/config', '/zookeeper/quota', '/none/at/all'];
const WRONG_PATHS = ['', 'a', '/a/', '/a//x', '/a/../b', '/a/\u0001', '//'];

const OPEN: readonly ACL[] = [{ perms: Perms.all, id: { scheme: 'world', id: 'anyone' } }];

/** Nothing is asked for. */
export const restingWeights = Object.fromEntries(CHOICES.map((choice) => [choice, 0])) as Record<
  Choice,
  number
>;

/** Mostly zero or small, a few large: no two runs test the same mixture. */
export function drawWeights(random: SeededRandom): Record<Choice, number> {
  const weights = {} as Record<Choice, number>;
  for (const choice of CHOICES) {
    weights[choice] = random.chance(0.25) ? 0 : random.fraction() ** 2;
  }
  weights.create += 0.3;
  weights.getData += 0.1;
  weights.setAcl *= 0.15;
  weights.nonsense *= 0.08;
  weights.inspect *= 0.4;
  return weights;
}

export class Workload {
  readonly #random: SeededRandom;
  readonly #traits: WorkloadTraits;
  readonly #versions = new Map<string, { version: number; aversion: number }>();
  /** Names that the server made up. */
  readonly #made: string[] = [];
  readonly #totalWeight: number;

  constructor(random: SeededRandom, traits: WorkloadTraits) {
    this.#random = random;
    this.#traits = traits;
    this.#totalWeight = CHOICES.reduce((sum, choice) => sum + traits.weights[choice], 0);
  }

  /** What a reply said about a path: for versions that are right, or were a moment ago. */
  learn(path: string, stat: Stat): void {
    this.#versions.set(path, { version: stat.version, aversion: stat.aversion });
  }

  learnName(path: string): void {
    if (PATHS.includes(path)) return;
    this.#made.push(path);
    if (this.#made.length > 12) this.#made.shift();
  }

  next(): RequestBody {
    let left = this.#random.fraction() * this.#totalWeight;
    for (const choice of CHOICES) {
      left -= this.#traits.weights[choice];
      if (left < 0) return this.#request(choice);
    }
    return this.#request('create');
  }

  #request(choice: Choice): RequestBody {
    const random = this.#random;
    const watch = random.chance(this.#traits.watchChance);
    switch (choice) {
      case 'create':
      case 'createSequential':
      case 'createEphemeral':
      case 'createContainer':
      case 'createTtl':
        return this.#create(choice);
      case 'delete':
        return { op: OpCode.delete, value: { path: this.#path(), version: this.#version(0) } };
      case 'setData':
        return { op: OpCode.setData, value: this.#setData() };
      case 'setAcl': {
        const path = this.#path();
        const version = this.#aversion(path);
        return { op: OpCode.setACL, value: { path, acl: this.#acl(true), version } };
      }
      case 'multi':
        return { op: OpCode.multi, value: { ops: this.#ops() } };
      case 'getData':
        return { op: OpCode.getData, value: { path: this.#path(), watch } };
      case 'exists':
        return { op: OpCode.exists, value: { path: this.#path(), watch } };
      case 'getChildren': {
        const op = random.chance(0.5) ? OpCode.getChildren : OpCode.getChildren2;
        return { op, value: { path: this.#parent(), watch } };
      }
      case 'getAcl':
        return { op: OpCode.getACL, value: { path: this.#path() } };
      case 'sync':
        return { op: OpCode.sync, value: { path: this.#path() } };
      case 'multiRead':
        return { op: OpCode.multiRead, value: { ops: this.#readOps() } };
      case 'addWatch': {
        const mode = random.chance(0.5)
          ? AddWatchMode.persistent
          : AddWatchMode.persistentRecursive;
        return { op: OpCode.addWatch, value: { path: this.#parent(), mode } };
      }
      case 'removeWatches':
      case 'checkWatches': {
        const op = choice === 'removeWatches' ? OpCode.removeWatches : OpCode.checkWatches;
        const type = random.between(WatcherType.children, WatcherType.persistentRecursive);
        return { op, value: { path: this.#path(), type } };
      }
      case 'inspect':
        return this.#inspect();
      case 'nonsense':
        return { op: OpCode.check, value: { path: this.#path(), version: -1 } };
    }
  }

  #inspect(): RequestBody {
    switch (this.#random.below(3)) {
      case 0:
        return { op: OpCode.getEphemerals, value: { prefixPath: this.#parent() } };
      case 1:
        return { op: OpCode.getAllChildrenNumber, value: { path: this.#parent() } };
      default:
        return { op: OpCode.whoAmI, value: {} };
    }
  }

  #create(choice: Choice): RequestBody {
    const random = this.#random;
    const path = this.#path();
    const data = this.#data();
    const acl = this.#acl(false);
    const withStat = random.chance(0.5) ? OpCode.create2 : OpCode.create;
    switch (choice) {
      case 'createSequential': {
        const flags = random.pick([
          CreateMode.persistentSequential,
          CreateMode.ephemeralSequential,
        ]);
        const prefix = random.chance(0.3) ? `${this.#parent()}/` : path;
        const name = prefix === '//' ? '/n-' : prefix;
        return { op: withStat, value: { path: name, data, acl, flags } };
      }
      case 'createEphemeral':
        return { op: withStat, value: { path, data, acl, flags: CreateMode.ephemeral } };
      case 'createContainer': {
        const flags = CreateMode.container;
        return { op: OpCode.createContainer, value: { path, data, acl, flags } };
      }
      case 'createTtl': {
        if (!this.#traits.ttl && !random.chance(0.2)) break;
        const flags = random.chance(0.7)
          ? CreateMode.persistentWithTtl
          : CreateMode.persistentSequentialWithTtl;
        const ttl = BigInt(random.pick([this.#traits.ttlMs, 2 * this.#traits.ttlMs, 0]));
        return { op: OpCode.createTTL, value: { path, data, acl, flags, ttl } };
      }
      default:
    }
    const flags = random.chance(0.02) ? 9 : CreateMode.persistent;
    return { op: withStat, value: { path, data, acl, flags } };
  }

  #setData(): { path: string; data: Uint8Array | null; version: number } {
    const path = this.#path();
    return { path, data: this.#data(), version: this.#version(this.#versions.get(path)?.version) };
  }

  #ops(): MultiOp[] {
    const random = this.#random;
    const ops: MultiOp[] = [];
    for (let count = random.between(0, 4); count > 0; count--) {
      const path = this.#path();
      const version = this.#version(this.#versions.get(path)?.version);
      switch (random.below(5)) {
        case 0:
        case 1: {
          const flags = random.below(4);
          const type = random.chance(0.5) ? OpCode.create : OpCode.create2;
          ops.push({ type, request: { path, data: this.#data(), acl: this.#acl(false), flags } });
          break;
        }
        case 2:
          ops.push({ type: OpCode.delete, request: { path, version } });
          break;
        case 3:
          ops.push({ type: OpCode.setData, request: { path, data: this.#data(), version } });
          break;
        default:
          ops.push({ type: OpCode.check, request: { path, version } });
      }
    }
    return ops;
  }

  #readOps(): MultiOp[] {
    const random = this.#random;
    const ops: MultiOp[] = [];
    for (let count = random.between(0, 3); count > 0; count--) {
      const watch = random.chance(this.#traits.watchChance);
      if (random.chance(0.6))
        ops.push({ type: OpCode.getData, request: { path: this.#path(), watch } });
      else ops.push({ type: OpCode.getChildren, request: { path: this.#parent(), watch } });
    }
    return ops;
  }

  #path(): string {
    const random = this.#random;
    const dice = random.fraction();
    if (dice < 0.02) return random.pick(ODD_PATHS);
    if (dice < 0.03) return random.pick(WRONG_PATHS);
    if (dice < 0.15 && this.#made.length > 0) return random.pick(this.#made);
    return PATHS[random.below(Math.min(this.#traits.pathCount, PATHS.length))] ?? '/a';
  }

  #parent(): string {
    return this.#random.chance(0.15) ? '/' : this.#path();
  }

  #version(known: number | undefined): number {
    const dice = this.#random.fraction();
    if (dice < 0.45) return -1;
    return dice < 0.85 ? (known ?? 0) : this.#random.between(-2, 5);
  }

  #aversion(path: string): number {
    return this.#version(this.#versions.get(path)?.aversion);
  }

  #data(): Uint8Array | null {
    const random = this.#random;
    if (random.chance(0.05)) return null;
    const isBig = random.chance(this.#traits.bigDataChance);
    const length = isBig ? random.below(this.#traits.bigDataBytes) : random.below(40);
    const seed = random.uint32();
    return Uint8Array.from({ length }, (_, i) => seed + Math.imul(i, 31));
  }

  /** `isChange`: for setACL, where locking everybody out for good would end the test. */
  #acl(isChange: boolean): readonly ACL[] {
    const random = this.#random;
    if (!isChange && !random.chance(this.#traits.aclChance)) return OPEN;
    switch (random.below(8)) {
      case 0:
        return [
          { perms: random.between(1, 31) | Perms.admin, id: { scheme: 'world', id: 'anyone' } },
        ];
      case 1:
        return [{ perms: Perms.all, id: { scheme: 'auth', id: '' } }];
      case 2:
        return [
          { perms: Perms.read, id: { scheme: 'world', id: 'anyone' } },
          { perms: Perms.all, id: { scheme: 'auth', id: '' } },
        ];
      case 3:
        return [
          { perms: Perms.all, id: { scheme: 'ip', id: '10.0.0.1' } },
          { perms: Perms.read | Perms.delete, id: { scheme: 'ip', id: '10.0.0.2' } },
        ];
      case 4:
        return [
          { perms: Perms.read | Perms.admin, id: { scheme: 'world', id: 'anyone' } },
          { perms: Perms.read | Perms.admin, id: { scheme: 'world', id: 'anyone' } },
          { perms: Perms.all, id: { scheme: 'digest', id: 'u:not/a/real/hash' } },
        ];
      case 5:
        return random.chance(0.3) ? [] : OPEN;
      case 6:
        return random.chance(0.3) ? [{ perms: 31, id: { scheme: 'none', id: 'x' } }] : OPEN;
      default:
        return OPEN;
    }
  }
}
