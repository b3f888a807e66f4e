import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, worldOf } from './clock.fixture.js';
import { LoadBalancer } from './load-balancer.js';
import { StaticRegistry } from './static-registry.js';

async function balancer() {
  const clock = new ManualClock();
  const registry = new StaticRegistry(
    {
      web: [
        { host: '10.0.0.1', port: 8080, sslPort: 8443 },
        { host: 'fd00::2', port: 8080, sslPort: 8443 },
      ],
    },
    {},
    worldOf(clock),
  );
  const lb = new LoadBalancer({ registry, service: 'web', policy: 'round-robin' });
  await Promise.all([lb.start(), clock.advance(0)]);
  return { lb, clock };
}

interface Call {
  readonly url: string;
  readonly init: RequestInit;
}

/** Answers with the statuses in turn. */
function server(...statuses: (number | Error)[]) {
  const calls: Call[] = [];
  const fetch = (url: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    calls.push({ url: url instanceof Request ? url.url : String(url), init });
    const status = statuses.shift() ?? 200;
    if (status instanceof Error) return Promise.reject(status);
    return Promise.resolve(new Response(`status ${status}`, { status }));
  };
  return { calls, fetch };
}

test('the host of the URL becomes an instance, path and query stay', async () => {
  const { lb } = await balancer();
  const { calls, fetch } = server();
  await lb.fetch('http://web/a/b?c=1', { fetch });
  await lb.fetch(new URL('https://web/x'), { fetch });
  const urls = calls.map(({ url }) => url);
  assert.ok(urls.some((url) => url.endsWith(':8080/a/b?c=1')));
  assert.ok(urls.some((url) => url.endsWith(':8443/x')));
  assert.equal(urls.filter((url) => url.includes('[fd00::2]')).length, 1);
});

test('a GET that meets a bad gateway or a dead instance is asked elsewhere', async () => {
  const { lb } = await balancer();
  for (const trouble of [503, new Error('reset')]) {
    const { calls, fetch } = server(trouble, 200);
    const response = await lb.fetch('http://web/', { fetch });
    assert.equal(response.status, 200);
    assert.equal(new Set(calls.map(({ url }) => url)).size, 2);
  }
});

test('a POST is not sent twice, and its bad answer is the answer', async () => {
  const { lb } = await balancer();
  const { calls, fetch } = server(503, 200);
  const response = await lb.fetch('http://web/', { method: 'POST', body: 'x', fetch });
  assert.equal(response.status, 503);
  assert.equal(await response.text(), 'status 503');
  assert.equal(calls.length, 1);
});

test('a 500 is an answer that counts against the instance', async () => {
  const { lb } = await balancer();
  for (let i = 0; i < 10; i++) {
    const { calls, fetch } = server(500);
    assert.equal((await lb.fetch('http://web/', { fetch })).status, 500);
    assert.equal(calls.length, 1);
  }
  assert.equal(lb.status().targets.filter(({ isEjected }) => isEjected).length, 1);
});

test('when all attempts fail, the last answer is given as it is', async () => {
  const { lb, clock } = await balancer();
  const { calls, fetch } = server(502, 503, 504);
  const fetching = lb.fetch('http://web/', { fetch });
  await clock.advance(1000); // before an instance is asked again, there is a pause
  const response = await fetching;
  assert.equal(response.status, 504);
  assert.equal(await response.text(), 'status 504');
  assert.equal(calls.length, 3);
});

test('a Request is sent with its method, headers and body, again if need be', async () => {
  const { lb } = await balancer();
  const { calls, fetch } = server(503, 200);
  const request = new Request('http://web/doc', {
    method: 'PUT',
    body: 'hello',
    headers: { 'x-key': '1' },
  });
  assert.equal((await lb.fetch(request, { fetch })).status, 200);
  assert.equal(calls.length, 2);
  for (const { init } of calls) {
    assert.equal(init.method, 'PUT');
    assert.equal(new Headers(init.headers).get('x-key'), '1');
    assert.equal(new TextDecoder().decode(init.body as ArrayBuffer), 'hello');
  }
});

test('a body that is a stream is sent once', async () => {
  const { lb } = await balancer();
  const { calls, fetch } = server(new Error('reset'));
  const body = new ReadableStream();
  await assert.rejects(lb.fetch('http://web/', { method: 'PUT', body, fetch }), /reset/u);
  assert.equal(calls.length, 1);
});
