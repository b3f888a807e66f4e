/**
 * undici over a load balancer: an interceptor for `agent.compose(…)`. The origin's host is only a name;
 * each request goes to an instance instead. undici itself is the user's; nothing here imports it, and
 * only the part of its contract that is used is spelled out.
 *
 *   const agent = new Agent().compose(balance(lb));
 *   await request('http://service/path', { dispatcher: agent });
 *
 * A request that fails before any of its answer has come is sent to another instance, as far as the
 * retry budget goes, if its method may be repeated and its body is not a stream. 502, 503 and 504 count
 * against an instance, as every 5xx does, but are answers: undici has its own retry for them.
 *
 * Both generations of handlers are served: `onRequestStart …` (7) and `onConnect …` (6 and before).
 */
import { NoInstanceError } from '../discovery/errors.js';
import { authorityOf } from '../discovery/instance.js';
import type { LoadBalancer, Picked } from '../discovery/load-balancer.js';

export interface UndiciOptions {
  readonly origin?: string | URL | undefined;
  readonly method?: string;
  readonly body?: unknown;
}

type Callback = (...args: never[]) => unknown;
/** A handler of either generation: methods by name. */
export type UndiciHandler = object;
export type UndiciDispatch<O extends UndiciOptions> = (
  options: O,
  handler: UndiciHandler,
) => boolean;

export interface UndiciBalanceOptions {
  /** Of one request, the first included; 3 unless given. */
  readonly attemptsMax?: number;
}

const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);
/** The names of one event in both generations; the status stands at that argument. */
const ends = new Set(['onResponseEnd', 'onComplete', 'onUpgrade', 'onRequestUpgrade']);
const errors = new Map([
  ['onResponseError', 1],
  ['onError', 0],
]);
const starts = new Map([
  ['onResponseStart', 1],
  ['onHeaders', 0],
]);
/** Told once per request, whatever the number of attempts. */
const greetings = new Set(['onRequestStart', 'onConnect']);

export function balance<O extends UndiciOptions>(
  balancer: LoadBalancer,
  { attemptsMax = 3 }: UndiciBalanceOptions = {},
): (dispatch: UndiciDispatch<O>) => UndiciDispatch<O> {
  return (dispatch) => (options, handler) => {
    void balancer.start().then(
      () => {
        balancer.countRequest();
        new Exchange(balancer, dispatch, options, handler, attemptsMax).attempt();
      },
      (error: unknown) => {
        fail(handler, error);
      },
    );
    return true;
  };
}

class Exchange<O extends UndiciOptions> {
  readonly #balancer: LoadBalancer;
  readonly #dispatch: UndiciDispatch<O>;
  readonly #options: O;
  readonly #handler: UndiciHandler;
  readonly #tried: string[] = [];
  #attemptsLeft: number;
  /** What calls the attempt under way off; null: none has begun. */
  #control: unknown = null;
  #hasAnswer = false;

  constructor(
    balancer: LoadBalancer,
    dispatch: UndiciDispatch<O>,
    options: O,
    handler: UndiciHandler,
    attemptsMax: number,
  ) {
    this.#balancer = balancer;
    this.#dispatch = dispatch;
    this.#options = options;
    this.#handler = handler;
    const { method = 'GET', body } = options;
    const isRepeatable = REPEATABLE.has(method.toUpperCase()) && !isStream(body);
    this.#attemptsLeft = isRepeatable ? attemptsMax : 1;
  }

  attempt(): void {
    this.#attemptsLeft--;
    const picked = this.#balancer.pick({}, this.#tried);
    const url = new URL(this.#options.origin ?? 'http://none');
    const authority =
      picked === null ? null : authorityOf(picked.instance, url.protocol === 'https:');
    if (picked === null || authority === null) {
      picked?.end('neutral');
      fail(this.#handler, new NoInstanceError(this.#balancer.service, 'no instance to send to'));
      return;
    }
    this.#tried.push(picked.instance.id);
    const origin = `${url.protocol}//${authority}`;
    try {
      this.#dispatch({ ...this.#options, origin }, this.#wrap(picked));
    } catch (error) {
      picked.end('neutral'); // undici refuses the request itself, whoever it is for
      fail(this.#handler, error);
    }
  }

  /** The user's handler, with an eye on what happens. */
  #wrap(picked: Picked): UndiciHandler {
    return new Proxy(this.#handler, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function' || typeof name !== 'string') return member;
        const method = member as Callback;
        return (...args: unknown[]): unknown => {
          if (greetings.has(name)) return this.#greet(args, method);
          return this.#onEvent(name, args, picked)
            ? Reflect.apply(method, target, args)
            : undefined;
        };
      },
    });
  }

  /**
   * What the user gets with the first attempt, a controller or a function to call it off with, is to
   * hold for whichever attempt is under way.
   */
  #greet(args: readonly unknown[], method: Callback): unknown {
    const isFirst = this.#control === null;
    [this.#control] = args;
    if (!isFirst) return undefined;
    const handle =
      typeof this.#control === 'function'
        ? (...reason: unknown[]): unknown =>
            Reflect.apply(this.#control as Callback, undefined, reason)
        : new Proxy(this.#control as object, {
            get: (_, name) => {
              const control = this.#control as object;
              const member: unknown = Reflect.get(control, name, control);
              return typeof member === 'function' ? (member.bind(control) as unknown) : member;
            },
          });
    return Reflect.apply(method, this.#handler, [handle, ...args.slice(1)]);
  }

  /** False: the user is not to hear of it. */
  #onEvent(name: string, args: readonly unknown[], picked: Picked): boolean {
    const start = starts.get(name);
    if (start !== undefined) {
      const status = args[start];
      if (typeof status !== 'number' || status < 200) return true;
      this.#hasAnswer = true;
      picked.end(status >= 500 ? 'failure' : 'success');
      return true;
    }
    if (ends.has(name)) picked.end('success');
    const at = errors.get(name);
    if (at === undefined) return true;
    const isOwn = isAbort(args[at]);
    picked.end(isOwn ? 'neutral' : 'failure');
    if (isOwn || this.#hasAnswer || this.#attemptsLeft <= 0) return true;
    if (!this.#balancer.mayRetry()) return true;
    this.attempt();
    return false;
  }
}

/** Tells a handler of either generation that there will be no answer. */
function fail(handler: UndiciHandler, error: unknown): void {
  const controller = {
    paused: false,
    aborted: true,
    reason: error,
    abort() {},
    pause() {},
    resume() {},
  };
  for (const [name, args] of [
    ['onResponseError', [controller, error]],
    ['onError', [error]],
  ] as const) {
    const method: unknown = Reflect.get(handler, name);
    if (typeof method !== 'function') continue;
    Reflect.apply(method, handler, args);
    return;
  }
}

function isAbort(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === 'AbortError' || ('code' in error && error.code === 'UND_ERR_ABORTED'))
  );
}

function isStream(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || body instanceof Uint8Array) return false;
  return 'pipe' in body || 'getReader' in body || Symbol.asyncIterator in body;
}
