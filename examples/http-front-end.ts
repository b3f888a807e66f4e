/** An HTTP front end: every request goes on to one of the servers that are registered now. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from 'zabra/client';
import { LoadBalancer, NoInstanceError, ZkRegistry } from 'zabra/discovery';
import { TestServer } from 'zabra/testing';

const zookeeper = await TestServer.start(); // in production: the addresses of your ensemble
const zk = await new Client(zookeeper.connectString).connect();
const registry = new ZkRegistry(zk);

// the servers behind it come and go; each says how much it can take
const backends: Server[] = [];
for (const weight of [1, 1, 2]) {
  const backend = createServer((request, response) => {
    response.end(`server ${backends.indexOf(backend) + 1}: ${request.method} ${request.url}`);
  });
  backends.push(backend);
  const port = await listen(backend);
  await registry.register({ service: 'pages', host: '127.0.0.1', port, weight });
}

// the front end: the one address that browsers know
const lb = new LoadBalancer({
  registry,
  service: 'pages',
  policy: 'least-connections',
  slowStart: { windowMs: 30_000 }, // newcomers warm up
  attemptTimeoutMs: 5_000,
});
const front = createServer((request, response) => {
  const { method = 'GET', url = '/' } = request;
  lb.fetch(`http://pages${url}`, { method })
    .then(async (answer) => {
      response.statusCode = answer.status;
      response.end(await answer.text());
    })
    .catch((error: unknown) => {
      response.statusCode = error instanceof NoInstanceError ? 503 : 502;
      response.end(String(error));
    });
});
const address = `http://127.0.0.1:${await listen(front)}`;

for (const path of ['/', '/about', '/news']) {
  console.log(await (await fetch(address + path)).text());
}

// one of three is closed without a word: readers do not notice
stop(backends[1]);
for (let i = 0; i < 20; i++) {
  const { status } = await fetch(`${address}/page/${i}`);
  if (status !== 200) throw new Error(`page ${i} has status ${status}`);
}
console.log(lb.status().targets);

for (const server of [front, ...backends]) stop(server);
await lb.close();
await zk.close();
await zookeeper.stop();

async function listen(server: Server): Promise<number> {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return (server.address() as AddressInfo).port;
}

function stop(server: Server | undefined): void {
  server?.close();
  server?.closeAllConnections();
}
