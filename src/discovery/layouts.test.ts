import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { instanceDefaults, type ServiceInstance } from './instance.js';
import { CuratorLayout } from './layouts/curator.js';
import { DubboLayout } from './layouts/dubbo.js';
import { ServerSetLayout } from './layouts/server-set.js';

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const curator = new CuratorLayout('/services');

test("Curator: what curator-x-discovery writes is read, Spring's metadata too", () => {
  const data = encode({
    ...{ name: 'web', id: 'a', address: '10.0.0.1', port: 80, sslPort: null },
    payload: {
      '@class': 'org.springframework.cloud.zookeeper.discovery.ZookeeperInstance',
      metadata: { zone: 'b' },
    },
    ...{ registrationTimeUTC: 1_700_000_000_000, serviceType: 'DYNAMIC', enabled: true },
    uriSpec: {
      parts: [
        { value: 'scheme', variable: true },
        { value: '://', variable: false },
        { value: 'address', variable: true },
      ],
    },
  });
  const instance = curator.read('web', 'a', data);
  assert.ok(instance !== null);
  assert.equal(instance.host, '10.0.0.1');
  assert.equal(instance.port, 80);
  assert.equal(instance.sslPort, null);
  assert.equal(instance.weight, 1);
  assert.equal(instance.health, 'up');
  assert.deepEqual(instance.metadata, { zone: 'b' });
  assert.equal(instance.registeredMs, 1_700_000_000_000);
  assert.equal(instance.uriTemplate, '{scheme}://{address}');
});

test('Curator: an instance that is not enabled drains', () => {
  const data = encode({ name: 'web', id: 'a', address: 'h', port: 80, enabled: false });
  assert.equal(curator.read('web', 'a', data)?.health, 'draining');
});

test('Curator: the payload stays null where all is as usual', () => {
  const written = curator.write({ ...instanceDefaults, service: 'web', id: 'a', host: 'h' });
  const json = JSON.parse(new TextDecoder().decode(written)) as Record<string, unknown>;
  assert.equal(json['payload'], null);
  assert.equal('enabled' in json, false);
});

test('Curator: what is written is read', () => {
  const port = fc.option(fc.integer({ min: 1, max: 65_535 }));
  const instances: fc.Arbitrary<ServiceInstance> = fc.record({
    service: fc.constant('web'),
    id: fc.uuid(),
    host: fc.domain(),
    port,
    sslPort: port,
    weight: fc.integer({ min: 0, max: 1000 }),
    priority: fc.nat({ max: 3 }),
    health: fc.constantFrom('up', 'starting', 'draining', 'down'),
    metadata: fc
      .dictionary(fc.string({ minLength: 1 }), fc.string())
      .map((members) => Object.fromEntries(Object.entries(members))),
    registeredMs: fc.nat(),
    payload: fc.constant(null),
    uriTemplate: fc.constantFrom(null, '{scheme}://{address}:{port}/x'),
  });
  fc.assert(
    fc.property(instances, (instance) => {
      const read = curator.read('web', instance.id, curator.write(instance));
      assert.deepEqual({ ...read, payload: null }, { ...instance });
    }),
  );
});

test('what is no instance is refused, never half read', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const data = new TextEncoder().encode(text);
      for (const layout of [curator, new ServerSetLayout('/aurora')]) {
        let instance: ServiceInstance | null = null;
        try {
          instance = layout.read('web', 'member_1', data);
        } catch (error) {
          assert.ok(error instanceof TypeError || error instanceof SyntaxError);
        }
        if (instance !== null) assert.equal(typeof instance.host, 'string');
      }
    }),
  );
  assert.throws(() => curator.read('web', 'a', new Uint8Array([0xff, 0xfe])));
});

test('a weight that is too much counts as the most; a host that is none is refused', () => {
  const of = (address: unknown, weight: unknown): ServiceInstance | null =>
    curator.read('web', 'a', encode({ address, port: 80, payload: { weight } }));
  assert.equal(of('h', 1e308)?.weight, 1e6);
  assert.equal(of('h', -1)?.weight, 1);
  assert.equal(of('h', 'many')?.weight, 1);
  assert.equal(of('fd00::1', 1)?.host, 'fd00::1');
  for (const host of ['', 'a/b', 'u@h', 'h?x', 'h#x', 'a b', 'a\\b', 7, null]) {
    assert.throws(() => of(host, 1), TypeError);
  }
});

test('ServerSet: members with their endpoints and states', () => {
  const member = encode({
    serviceEndpoint: { host: '10.1.1.1', port: 31_000 },
    additionalEndpoints: { admin: { host: '10.1.1.1', port: 31_001 } },
    ...{ status: 'ALIVE', shard: 3, metadata: { build: '7' } },
  });
  const read = new ServerSetLayout('/twitter').read('jobs', 'member_0000000001', member);
  assert.equal(read?.id, 'member_0000000001');
  assert.equal(read.port, 31_000);
  assert.deepEqual(read.metadata, { build: '7', shard: '3' });
  const admin = new ServerSetLayout('/twitter', { endpoint: 'admin' });
  assert.equal(admin.read('jobs', 'member_1', member)?.port, 31_001);
  assert.equal(admin.read('jobs', 'vector_1', member), null);
  const stopping = encode({ serviceEndpoint: { host: 'h', port: 1 }, status: 'STOPPING' });
  assert.equal(new ServerSetLayout('/t').read('j', 'member_1', stopping)?.health, 'draining');
});

test('Dubbo: the name says everything, and a new start is the same instance', () => {
  const dubbo = new DubboLayout();
  assert.equal(dubbo.directoryOf('com.foo.Bar'), '/dubbo/com.foo.Bar/providers');
  const nameOf = (timestamp: number): string =>
    encodeURIComponent(
      `dubbo://10.0.0.7:20880/com.foo.Bar?group=blue&version=1.0&weight=200&timestamp=${timestamp}`,
    );
  const first = dubbo.read('com.foo.Bar', nameOf(1));
  const second = dubbo.read('com.foo.Bar', nameOf(2));
  assert.equal(first?.host, '10.0.0.7');
  assert.equal(first.port, 20_880);
  assert.equal(first.weight, 200);
  assert.equal(first.metadata['path'], 'com.foo.Bar');
  assert.equal(first.id, second?.id);
  assert.equal(second?.registeredMs, 2);
  const six = dubbo.read('b', encodeURIComponent('tri://[::1]:50051/b?disabled=true'));
  assert.deepEqual([six?.host, six?.port, six?.health], ['::1', 50_051, 'draining']);
  assert.throws(() => dubbo.read('b', 'no%20url'), TypeError);
});
