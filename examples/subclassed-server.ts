/** A server of your own in ten lines: it counts its sessions, and says when it serves. */
import { Client } from 'zabra/client';
import { ZooServer } from 'zabra/server';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

class CountingServer extends ZooServer {
  sessions = 0;

  override async start(): Promise<void> {
    this.on('session', ({ kind }) => (this.sessions += kind === 'created' ? 1 : -1));
    await super.start();
    console.log(`serves at ${this.connectString}`);
  }
}

const dataDir = mkdtempSync(join(tmpdir(), 'zabra-example-'));
const server = new CountingServer({ dataDir, preAllocBytes: 65_536 });
await server.start();
const zk = await new Client(server.connectString).connect();
console.log(`${server.sessions} session`);
await zk.close();
await server.stop();
rmSync(dataDir, { recursive: true });
