/**
 * Random scripts: what several sessions do to a small tree. A script is plain data, so that it can be
 * printed, run again and made shorter; `~` in a path stands for a znode that belongs to the run.
 *
 * Only what ZooKeeper answers in one way is in it. Requests of one step are pipelined; things that
 * race inside Apache stand alone in their step: auth and unknown op codes are answered ahead of the
 * pipeline, and whether a setACL counts for the request behind it is a matter of timing there.
 */
import type { SeededRandom } from './random.js';

export interface AclEntry {
  readonly perms: number;
  readonly scheme: string | null;
  readonly id: string | null;
}

export type CreateKind = 'create' | 'create2' | 'createContainer' | 'createTTL';

export type Part =
  | {
      readonly op: CreateKind;
      readonly path: string;
      readonly data: string | null;
      readonly flags: number;
      readonly acl: readonly AclEntry[] | null;
      readonly ttl: number;
    }
  | { readonly op: 'delete'; readonly path: string; readonly version: number }
  | { readonly op: 'check'; readonly path: string; readonly version: number }
  | {
      readonly op: 'setData';
      readonly path: string;
      readonly data: string | null;
      readonly version: number;
    }
  | { readonly op: 'getData' | 'getChildren'; readonly path: string };

export type Request =
  | Extract<Part, { op: CreateKind | 'delete' | 'setData' }>
  | {
      readonly op: 'exists' | 'getData' | 'getChildren' | 'getChildren2';
      readonly path: string;
      readonly watch: boolean;
    }
  | {
      readonly op: 'getACL' | 'sync' | 'getAllChildrenNumber' | 'getEphemerals';
      readonly path: string;
    }
  | {
      readonly op: 'setACL';
      readonly path: string;
      readonly acl: readonly AclEntry[] | null;
      readonly version: number;
    }
  | { readonly op: 'multi' | 'multiRead'; readonly parts: readonly Part[] }
  | {
      readonly op: 'setWatches' | 'setWatches2';
      /** Zxids after the start of the run. */
      readonly since: number;
      readonly lists: readonly (readonly string[])[];
    }
  | {
      readonly op: 'addWatch' | 'checkWatches' | 'removeWatches';
      readonly path: string;
      readonly type: number;
    }
  | { readonly op: 'ping' | 'whoAmI' | 'reconfig' }
  /** Another request whose body is cut short or has a byte changed. */
  | { readonly op: 'damaged'; readonly inner: Request; readonly at: number; readonly xor: number }
  | { readonly op: 'unknown'; readonly code: number };

export type Step =
  | { readonly kind: 'connect' | 'reconnect' | 'wrongPassword'; readonly session: number }
  /** The requests before it are pipelined with closeSession. */
  | { readonly kind: 'close'; readonly session: number; readonly requests: readonly Request[] }
  | { readonly kind: 'auth'; readonly session: number; readonly user: string }
  | { readonly kind: 'requests'; readonly session: number; readonly requests: readonly Request[] };

export type Script = readonly Step[];

export const sessionsPerScript = 3;
const users = ['ann:a', 'bob:b', 'super:wrong'];

class Generator {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  script(): Script {
    const random = this.#random;
    const steps: Step[] = [{ kind: 'connect', session: 0 }];
    const authenticated = new Set<number>();
    for (let left = random.between(5, 45); left > 0; left -= 1) {
      const session = random.below(sessionsPerScript);
      const dice = random.below(100);
      if (dice < 5) steps.push({ kind: 'connect', session });
      else if (dice < 8) {
        const requests = random.chance(0.6) ? this.#requests() : [];
        // a close behind a setACL would race as any request does
        const isSafe = requests.every((one) => one.op !== 'setACL' && one.op !== 'damaged');
        steps.push({ kind: 'close', session, requests: isSafe ? requests : [] });
        authenticated.delete(session);
      } else if (dice < 10) steps.push({ kind: 'reconnect', session });
      else if (dice < 11) steps.push({ kind: 'wrongPassword', session });
      else if (dice < 15 && !authenticated.has(session)) {
        authenticated.add(session);
        steps.push({ kind: 'auth', session, user: random.pick(users) });
      } else if (dice < 17) {
        const code = random.pick([50, 10, -2, 13, 0, 1_000]);
        steps.push({ kind: 'requests', session, requests: [{ op: 'unknown', code }] });
      } else steps.push({ kind: 'requests', session, requests: this.#requests() });
    }
    return steps;
  }

  #requests(): Request[] {
    const random = this.#random;
    const count = random.chance(0.5) ? 1 : random.between(2, 8);
    const requests: Request[] = [];
    while (requests.length < count) {
      const request = random.chance(0.05) ? this.#damaged() : this.#request();
      requests.push(request);
      // nothing behind a setACL: see above
      if (request.op === 'setACL') break;
      if (request.op === 'damaged' && request.inner.op === 'setACL') break;
    }
    return requests;
  }

  #request(): Request {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 28) return this.#create();
    if (dice < 38) return { op: 'delete', path: this.#path(), version: this.#version() };
    if (dice < 50) {
      return {
        op: 'setData',
        path: this.#path(),
        data: this.#data(),
        version: this.#version(),
      };
    }
    if (dice < 66) {
      const op = random.pick(['exists', 'getData', 'getChildren', 'getChildren2'] as const);
      return { op, path: this.#path(), watch: random.chance(0.5) };
    }
    if (dice < 71) {
      const op = random.pick(['getACL', 'sync', 'getAllChildrenNumber', 'getEphemerals'] as const);
      return { op, path: this.#path() };
    }
    if (dice < 74) {
      return { op: 'setACL', path: this.#path(), acl: this.#acl(), version: this.#version() };
    }
    if (dice < 84) return { op: 'multi', parts: this.#parts(false) };
    if (dice < 87) return { op: 'multiRead', parts: this.#parts(true) };
    if (dice < 90) return this.#setWatches();
    if (dice < 94)
      return { op: 'addWatch', path: this.#path(), type: random.pick([0, 1, 0, 1, 2]) };
    if (dice < 97) {
      const op = random.pick(['checkWatches', 'removeWatches'] as const);
      return { op, path: this.#path(), type: random.between(0, 6) };
    }
    return { op: random.pick(['ping', 'whoAmI', 'reconfig'] as const) };
  }

  #create(): Extract<Part, { op: CreateKind }> {
    const random = this.#random;
    const op = random.pick([
      ...(['create', 'create', 'create', 'create2', 'create2'] as const),
      ...(['createContainer', 'createTTL'] as const),
    ]);
    let flags = random.pick([0, 0, 0, 1, 1, 2, 3]);
    if (op === 'createContainer') flags = 4;
    if (op === 'createTTL') flags = random.pick([5, 6]);
    if (op !== 'createTTL' && random.chance(0.03)) flags = random.pick([4, 5, 7, -1]);
    return {
      op,
      path: this.#path(flags === 2 || flags === 3 || flags === 6),
      data: this.#data(),
      flags,
      acl: this.#acl(),
      ttl: random.pick([1, 1_000_000, 1_000_000, 0, -1, 0xff_ffff_ffff, 0x100_0000_0000]),
    };
  }

  #parts(isRead: boolean): Part[] {
    const random = this.#random;
    const parts: Part[] = [];
    for (let left = random.below(6); left > 0; left -= 1) {
      const dice = random.below(100);
      if (isRead !== random.chance(0.03)) {
        const op = random.pick(['getData', 'getChildren'] as const);
        parts.push({ op, path: this.#path() });
      } else if (dice < 40) parts.push(this.#create());
      else if (dice < 60) {
        parts.push({ op: 'delete', path: this.#path(), version: this.#version() });
      } else if (dice < 85) {
        const version = this.#version();
        parts.push({ op: 'setData', path: this.#path(), data: this.#data(), version });
      } else parts.push({ op: 'check', path: this.#path(), version: this.#version() });
    }
    return parts;
  }

  #setWatches(): Request {
    const random = this.#random;
    const op = random.pick(['setWatches', 'setWatches2'] as const);
    const lists: string[][] = [];
    for (let count = op === 'setWatches' ? 3 : 5; count > 0; count -= 1) {
      const paths = Array.from({ length: random.below(4) }, () => this.#plainPath());
      lists.push([...new Set(paths)]);
    }
    return { op, since: random.below(60), lists };
  }

  #damaged(): Request {
    const random = this.#random;
    let inner = this.#request();
    // a createTTL that says it is not one, with no ttl, stops Apache's server for good
    while (inner.op === 'createTTL' || inner.op === 'ping') inner = this.#request();
    // 0: cut there; otherwise the bits to change
    const xor = random.chance(0.5) ? 0 : 1 << random.below(8);
    return { op: 'damaged', inner, at: random.below(60), xor };
  }

  #plainPath(): string {
    const random = this.#random;
    return random.pick(['~', '~/a', '~/a', '~/b', '~/a/a', '~/a/b', '~/b/a', '~/a/a/a']);
  }

  #path(isSequential = false): string {
    const random = this.#random;
    if (random.chance(0.04)) {
      const odd = [
        '',
        'x',
        '~/',
        '~//a',
        '~/..',
        '~/a/.',
        '~/\u0000',
        '~/\u0007',
        '~/\ud83e\udd80',
      ];
      return random.pick([...odd, '/zookeeper', '/zookeeper/quota', '~/ä', '~/\ufffe', '/no/such']);
    }
    if (isSequential) return random.pick(['~/s', '~/a/s', '~/a/', '~/b/s-']);
    if (random.chance(0.1)) return `~/s000000000${random.below(6)}`;
    return this.#plainPath();
  }

  #version(): number {
    const random = this.#random;
    return random.chance(0.5) ? -1 : random.pick([0, 0, 1, 1, 2, 3, -2]);
  }

  #data(): string | null {
    const random = this.#random;
    return random.pick([null, '', 'x', 'some data', 'ü', 'x'.repeat(300)]);
  }

  #acl(): readonly AclEntry[] | null {
    const random = this.#random;
    const world = { perms: 31, scheme: 'world', id: 'anyone' };
    if (random.chance(0.75)) return [world];
    const entries: AclEntry[] = [
      world,
      { perms: random.below(32), scheme: 'world', id: 'anyone' },
      { perms: random.below(32), scheme: 'auth', id: '' },
      { perms: 31, scheme: 'digest', id: 'ann:Ac9LLhZVcOJdMIz7Vv8Qp4iX9Xo=' },
      { perms: 31, scheme: 'ip', id: '127.0.0.1' },
      { perms: random.below(32), scheme: 'ip', id: '10.0.0.0/8' },
    ];
    const bad: AclEntry[] = [
      { perms: 31, scheme: 'nobody', id: 'x' },
      { perms: 31, scheme: 'ip', id: 'x' },
      { perms: 31, scheme: null, id: 'x' },
      { perms: 31, scheme: 'digest', id: 'x' },
    ];
    if (random.chance(0.05)) return null;
    const list = Array.from({ length: random.below(4) }, () => random.pick(entries));
    return random.chance(0.1) ? [...list, random.pick(bad)] : list;
  }
}

export function randomScript(random: SeededRandom): Script {
  return new Generator(random).script();
}

/** One line for each step. */
export function printed(script: Script): string {
  return script
    .map((step, index) => `${String(index).padStart(3)}  ${JSON.stringify(step)}`)
    .join('\n');
}
