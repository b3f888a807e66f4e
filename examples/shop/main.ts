/**
 * A shop on three servers, with a balancer in each of two regions. Visitors buy and packers pack while
 * one server after the other dies and comes back. Nobody's connection is lost, no order is lost, none
 * is packed twice, and the stock is what was not sold.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Balancer } from 'zabra/balancer';
import { Client } from 'zabra/client';
import { TestEnsemble } from 'zabra/testing';
import { Shop, type Sale } from './shop.js';

const stock = { tea: 60, bread: 40, soap: 15 } as const;
const articles = Object.keys(stock) as (keyof typeof stock)[];
const visitorsPerRegion = 6;
const purchases = 12;

const ensemble = await TestEnsemble.start(3);
const servers = ensemble.connectString.split(',');
const zones = ['north', 'south', 'north'] as const;
const regions = ['north', 'south'] as const;

// a region's balancer prefers the servers that are near; the other ones are there when they are needed
const balancers = await Promise.all(
  regions.map(async (zone) => {
    const balancer = new Balancer({
      listen: ['127.0.0.1:0'],
      servers: servers.map((address, i) => ({ address, zone: zones[i] ?? 'north' })),
      zone,
    });
    await balancer.start();
    return balancer;
  }),
);
const addresses = balancers.map((balancer) => balancer.listeners[0]?.address ?? '');

let interruptions = 0;
async function enter(region: number): Promise<Shop> {
  const near = addresses[region] ?? '';
  const zk = await new Client(near, { sessionTimeoutMs: 10_000 }).connect();
  zk.on('state', (state) => {
    if (state === 'suspended') interruptions++;
  });
  return await new Shop(zk).open();
}

const owner = await new Client(addresses.join(',')).connect();
const office = new Shop(owner);
await office.furnish(stock, { isOpen: true, discountPercent: 0 });
await office.open();

const end = new AbortController();
const parcels: string[] = [];
const packers = await Promise.all([enter(0), enter(1)]);
const packing = packers.map((shop, i) =>
  shop.pack(`packer ${i + 1}`, end.signal, (id) => void parcels.push(id)),
);

const sales = new Map<string, Sale>();
const sold: Record<string, number> = { tea: 0, bread: 0, soap: 0 };
const discounts = new Set<number>();
async function visit(region: number, number: number): Promise<void> {
  const visitor = `${regions[region] ?? ''}-${number}`;
  const shop = await enter(region);
  for (let i = 0; i < purchases; i++) {
    const article = articles[(number + i) % articles.length] ?? 'tea';
    const id = `${visitor}-${i}`;
    const sale = await shop.sell({ id, visitor, article, amount: 1 });
    sales.set(id, sale);
    if (sale === 'sold') sold[article] = (sold[article] ?? 0) + 1;
    discounts.add(shop.rules.discountPercent);
    await sleep(30);
  }
  await shop.close();
}

const visits = regions.flatMap((_, region) =>
  Array.from({ length: visitorsPerRegion }, (_, number) => visit(region, number)),
);

// meanwhile: each server dies, a discount is announced, and the servers come back
for (const { id } of ensemble.servers) {
  await sleep(150);
  await ensemble.kill(id);
  await office.change({ isOpen: true, discountPercent: 10 * id });
  await sleep(150);
  await ensemble.restart(id);
}
await Promise.all(visits);

while ((await office.waiting()) > 0) await sleep(10);
const orders = await office.orders();
while (parcels.length < orders.length) await sleep(10);
end.abort();
await Promise.all(packing);

const accepted = [...sales].filter(([, sale]) => sale === 'sold').map(([id]) => id);
assert.deepEqual(orders.sort(), accepted.sort(), 'every order that was promised is there');
assert.deepEqual(parcels.sort(), accepted, 'every order was packed, and once');
for (const article of articles) {
  const left = await office.left(article);
  assert.equal(left, stock[article] - (sold[article] ?? 0), article);
}
assert.ok(discounts.size > 1, 'the discount was heard of');
assert.equal(interruptions, 0, 'nobody noticed that servers died');
const out = sales.size - accepted.length;
console.log(`${accepted.length} orders sold and packed, ${out} sold out, 0 interruptions`);

for (const packer of packers) await packer.close();
await office.close();
for (const balancer of balancers) await balancer.stop();
await ensemble.stop();
