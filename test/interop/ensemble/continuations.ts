/**
 * Sessions that go on at other servers without their clients noticing, where some of the servers are
 * Apache's: it is granted where both the server and its leader are ours, nobody else notices that it
 * was asked for, and whoever comes over a server of Apache's counts as a later client.
 */
import type { Members } from '../../cluster/members.js';
import {
  attach,
  catchUp,
  everything,
  fatesOf,
  grantedTo,
  superseded,
} from '../../support/continuing.js';
import { flags } from '../../support/requests.js';
import type { TestClient } from '../../support/test-client.js';
import type { Tally } from './tally.js';

export async function continuations(members: Members, tally: Tally): Promise<void> {
  const leader = await members.leader();
  const grants = (sid: number): boolean =>
    members.kindOf(sid) === 'zabra' && members.kindOf(leader) === 'zabra';
  for (const home of members.sids) {
    let client = await attach(members.addressOf(home), null);
    const granted = grantedTo(client);
    const what = `a session made over ${home}`;
    tally.check(`${what}: granted`, granted?.capabilities ?? 0, grants(home) ? everything : 0);
    const path = `/goes-on-${home}`;
    const made = await client.create(path, { flags: flags.ephemeral });
    tally.check(`${what}: it writes`, made.err, 0);
    const written = { xid: made.xid, zxid: made.zxid };
    let generation = granted?.generation ?? 0n;
    const since = granted?.zxid ?? 0n;
    let isLater = granted === null;
    for (const sid of [...members.sids, home]) {
      const earlier = client;
      client = await attach(members.addressOf(sid), earlier, generation);
      const now = grantedTo(client);
      const move = `${what}, then over ${sid}`;
      tally.check(`${move}: it goes on`, client.session.sessionId, earlier.session.sessionId);
      tally.check(`${move}: granted`, now?.capabilities ?? 0, grants(sid) ? everything : 0);
      tally.check(`${move}: it writes`, (await client.setData(path, String(sid))).err, 0);
      earlier.destroy();
      if (now === null) {
        // that one asked for a new client, whatever was shown to it
        isLater = true;
        generation = 0n;
        continue;
      }
      if (!isLater) {
        tally.check(`${move}: the same client`, now.generation, generation);
        await whatBecame(client, since, written.xid, move, tally);
        await whatHappened(client, written.zxid, path, move, tally);
      }
      generation = now.generation;
    }
    if (isLater && granted !== null) {
      const late = await attach(members.addressOf(home), client, granted.generation);
      tally.check(`${what}: who is late`, grantedTo(late)?.status, superseded);
      tally.check(`${what}: and has no session`, late.session.sessionId, 0n);
      tally.check(`${what}: it is not disturbed`, (await client.setData(path, 'on')).err, 0);
      late.destroy();
    }
    await client.close();
  }
}

async function whatBecame(
  client: TestClient,
  since: bigint,
  xid: number,
  move: string,
  tally: Tally,
): Promise<void> {
  const told = await fatesOf(client, since, [xid, 1_000_000]);
  tally.check(`${move}: what became of writes`, told.join(), 'executed 0,never');
}

async function whatHappened(
  client: TestClient,
  since: bigint,
  path: string,
  move: string,
  tally: Tally,
): Promise<void> {
  tally.check(`${move}: watches are taken over`, (await catchUp(client, since, path)).err, 0);
  const missed = await client.pendingEvents();
  tally.check(`${move}: there was a change`, missed.length > 0, true);
  const others = missed.filter(
    (event) => event.path !== path || event.type !== 3 || event.zxid <= since,
  );
  tally.none(
    `${move}: and all that is told is that`,
    others.map((event) => `${event.type} ${event.path} ${event.zxid}`),
  );
}
