/** How long it takes a new client, trying one server after the other, until a write is acknowledged. */
import { setTimeout as sleep } from 'node:timers/promises';
import { OpCode } from 'zabra/protocol';
import type { Address } from '../support/four-letter.js';
import { body } from '../support/requests.js';
import { tickMs } from './members.js';
import { Session } from './session.js';

/** A znode that every population has. */
const PROBE_PATH = '/ephemerals';
const PATIENCE_MS = 1000;
const RETRY_MS = 20;

/** Null: longer than that. */
export async function firstWrite(
  servers: readonly Address[],
  boundMs: number,
  problems: string[],
  acknowledged?: (zxid: bigint, what: string) => void,
): Promise<number | null> {
  const startMs = Date.now();
  const session = new Session(4 * tickMs, problems);
  for (let tries = 0; Date.now() - startMs < boundMs; tries++) {
    const address = servers[tries % servers.length];
    if (address === undefined) break;
    if ((await session.connect(address, PATIENCE_MS)) === 'connected') {
      const probe = body.setData(PROBE_PATH, 'probe', -1);
      const reply = await session.ask(OpCode.setData, probe, PATIENCE_MS);
      if (reply?.err === 0) {
        acknowledged?.(reply.zxid, 'probe');
        await session.close();
        return Date.now() - startMs;
      }
    }
    await sleep(RETRY_MS);
  }
  session.drop();
  return null;
}
