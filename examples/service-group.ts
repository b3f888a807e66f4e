/**
 * Servers join a group; requests are balanced among them and go to another one when a server dies. Each
 * server would be a process of its own; here they share one.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from 'zabra/client';
import { LoadBalancer, ZkRegistry } from 'zabra/discovery';
import { TestServer } from 'zabra/testing';

const zookeeper = await TestServer.start(); // in production: the addresses of your ensemble
const { connectString } = zookeeper;

/** A server with a session of its own, in the group for as long as that lives. */
async function startMember(name: string): Promise<{ http: Server; zk: Client }> {
  const http = createServer((request, response) => response.end(`${name} says ${request.url}`));
  await new Promise<void>((listening) => http.listen(0, '127.0.0.1', listening));
  const { port } = http.address() as AddressInfo;
  const zk = await new Client(connectString).connect();
  await new ZkRegistry(zk).register({ service: 'greeter', host: '127.0.0.1', port, id: name });
  return { http, zk };
}

const [anna, bert, carl] = [
  await startMember('anna'),
  await startMember('bert'),
  await startMember('carl'),
];

// whoever has requests: knows the members, and where each request goes
const zk = await new Client(connectString).connect();
const lb = new LoadBalancer({ registry: new ZkRegistry(zk), service: 'greeter' });
lb.on('ejection', ({ id, reason }) => {
  console.log(id, reason === null ? 'is back' : `is left out: ${reason}`);
});
await lb.start();
console.log('members:', lb.instances.map(({ id }) => id).join(', '));

/** Any protocol will do: this is called with one member after the other until one answers. */
async function ask(path: string): Promise<string> {
  return await lb.send({}, async ({ host, port }, { signal }) => {
    const response = await fetch(`http://${host}:${port}${path}`, { signal });
    return await response.text();
  });
}

for (let i = 0; i < 6; i++) console.log(await ask(`/hello/${i}`));

// a member dies: its session lives on for a while, but no request fails
bert.http.close();
bert.http.closeAllConnections();
for (let i = 0; i < 20; i++) {
  const answer = await ask(`/again/${i}`);
  if (answer.startsWith('bert')) throw new Error('bert is dead');
}
console.log('bert died, and nobody noticed');

await lb.close();
for (const member of [anna, bert, carl]) {
  member.http.close();
  member.http.closeAllConnections();
  await member.zk.close();
}
await zk.close();
await zookeeper.stop();
