/**
 * `fetch` over a load balancer: `lb.fetch('http://service/path')`. The host of the URL is only a name;
 * an instance takes its place, its port for http and its sslPort for https.
 *
 * An instance that cannot be reached, or that answers 502, 503 or 504, has failed, and another one is
 * asked where the request may be repeated: by its method (GET, HEAD, OPTIONS, PUT, DELETE, TRACE) and
 * because its body is not a stream. Any other 5xx counts against the instance, but is the answer. An
 * instance is busy with a request until its headers have come; the body is read as usual.
 */
import type { LoadBalancer } from './load-balancer.js';
import { authorityOf, type ServiceInstance } from './instance.js';
import { judgeByCode, type Judge } from './verdict.js';
import type { AttemptContext } from './attempts.js';

export interface BalancedRequestInit extends RequestInit {
  /** As `key` of `lb.send`. */
  readonly key?: string;
  readonly attemptTimeoutMs?: number;
  /** What sends one attempt; the global fetch unless given. */
  readonly fetch?: typeof globalThis.fetch;
}

export type FetchFunction = (
  input: string | URL | Request,
  init?: BalancedRequestInit,
) => Promise<Response>;

const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);
const GATEWAY_FAILURES = new Set([502, 503, 504]);

/** An answer that says that the instance has failed. */
class FailedAnswer extends Error {
  override readonly name = 'FailedAnswer';
  readonly response: Response;

  constructor(response: Response) {
    super(`status ${response.status}`);
    this.response = response;
  }
}

const judge: Judge = (error, request) => {
  if (!(error instanceof FailedAnswer)) return judgeByCode(error, request);
  const isPassing = GATEWAY_FAILURES.has(error.response.status);
  return isPassing && request.isRepeatable ? 'retry' : 'fail';
};

export function balancedFetch(balancer: LoadBalancer): FetchFunction {
  return async (input, init = {}) => {
    const { key, attemptTimeoutMs, fetch = globalThis.fetch, ...rest } = init;
    const request = input instanceof Request ? input : null;
    const url = new URL(input instanceof Request ? input.url : input);
    const method = (rest.method ?? request?.method ?? 'GET').toUpperCase();
    const signal = rest.signal ?? request?.signal ?? null;
    // a Request's body can be read once; kept, it can be sent again
    const kept = request?.body == null ? null : await request.arrayBuffer();
    const isOneShot = isStream(rest.body);
    const failed: Response[] = [];
    const send = async (instance: ServiceInstance, context: AttemptContext): Promise<Response> => {
      const place = placeOf(url, instance);
      const attempt = {
        ...(request === null ? {} : { method, headers: request.headers, body: kept }),
        ...rest,
        // the answer's body may still be called off by the caller, when the attempt is over
        signal: signal === null ? context.signal : AbortSignal.any([context.signal, signal]),
      };
      const response = await fetch(place, attempt);
      if (response.status < 500) return response;
      failed.push(response);
      throw new FailedAnswer(response);
    };
    try {
      return await balancer.send(
        {
          judge,
          isRepeatable: REPEATABLE.has(method),
          ...(isOneShot ? { attemptsMax: 1 } : {}),
          ...(key === undefined ? {} : { key }),
          ...(attemptTimeoutMs === undefined ? {} : { attemptTimeoutMs }),
          ...(signal === null ? {} : { signal }),
        },
        send,
      );
    } catch (error) {
      if (!(error instanceof FailedAnswer)) throw error;
      failed.splice(failed.indexOf(error.response), 1);
      return error.response;
    } finally {
      // nobody reads them; their connections are free again. One that fails here has been cut already
      for (const { body: unread } of failed) void unread?.cancel().catch(() => undefined);
    }
  };
}

function placeOf(url: URL, instance: ServiceInstance): URL {
  const isSecure = url.protocol === 'https:';
  const authority = authorityOf(instance, isSecure);
  if (authority === null) {
    throw new TypeError(`${instance.id} has no port for ${isSecure ? 'https' : 'http'}`);
  }
  const place = new URL(url);
  place.host = authority;
  return place;
}

/** Can only be read once. */
function isStream(body: unknown): boolean {
  return (
    body instanceof ReadableStream ||
    (typeof body === 'object' && body !== null && Symbol.asyncIterator in body)
  );
}
