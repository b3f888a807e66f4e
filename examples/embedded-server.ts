/** A server inside your program: its data in a directory of yours, one operation through its pipeline. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OpCode } from 'zabra/protocol';
import { ZooServer } from 'zabra/server';

const dataDir = mkdtempSync(join(tmpdir(), 'zabra-example-'));
const server = new ZooServer({ id: 1, name: 'example', dataDir, preAllocBytes: 65_536 });
server.on('state', (state) => {
  console.log('state', state);
});
server.on('session', ({ id, kind }) => {
  console.log('session', id, kind);
});
server.on('config', (config) => {
  console.log('tick', config.tickTimeMs);
});
await server.start();
console.log(server.status());
console.log('clients connect to', server.connectString);

const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];
const data = new TextEncoder().encode('hello');
await server.submitRequest({ op: OpCode.create, body: { path: '/greeting', data, acl, flags: 0 } });
const reply = await server.submitRequest({
  op: OpCode.getData,
  body: { path: '/greeting', watch: false },
});
const { data: read } = reply.body as { data: Uint8Array };
console.log('/greeting holds', new TextDecoder().decode(read), 'as of', reply.zxid);
console.log(server.replicaList());

const file = join(dataDir, 'zoo.cfg');
await server.saveConfig(file);
console.log(await server.loadConfig(file));
await server.stop();
rmSync(dataDir, { recursive: true });
