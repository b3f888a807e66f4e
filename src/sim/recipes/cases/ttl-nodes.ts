/**
 * TTL nodes: there for as long as somebody looks after them, whatever is deleted meanwhile, and gone
 * not before, and not long after, their time when nobody does.
 */
import type { Stat, ZkClient } from '../../../client/types.js';
import { acrossSessions, isGivenUp, pause } from '../../../recipes/patience.js';
import { TtlNode } from '../../../recipes/ttl-node.js';
import { unlessStopped, type RecipeCase } from '../case.js';
import type { Court } from '../court.js';
import { change } from './values.js';

const ROOT = '/ttl';
const LOOK_MS = 20;

export const ttlNodeCase: RecipeCase = {
  name: 'ttl-node',
  try: ({ random, court, actorCount, sessionTimeoutMs }) => {
    const ttlMs = random.pick([400, 1000, 3000]);
    const names = Array.from({ length: actorCount }, (_, i) => `a${i + 1}`);
    /** Of those who have come to their end: whether they look after theirs on. */
    const isKept = new Map<string, boolean>();
    return {
      prepare: () => Promise.resolve(),
      async play(life) {
        const open = (): TtlNode => new TtlNode(life.zk, `${ROOT}/${life.name}`, { ttlMs });
        let node = open();
        while (!isGivenUp(life.stop)) {
          await unlessStopped(life, node.start({ signal: life.stop }));
          await life.pause(life.random.between(5, 200));
          if (life.random.chance(0.2)) {
            const end = life.random.pick(['', '/touch']);
            const path = `${ROOT}/${life.random.pick(names)}${end}`;
            await unlessStopped(life, change(life.zk, 0, path, ''));
          }
          if (life.random.chance(0.2)) {
            await node.close();
            await life.pause(life.random.between(5, 200));
            node = open();
          }
          life.round();
        }
        await node.start();
        if (life.random.chance(0.5)) {
          await node.close();
          isKept.set(life.name, false);
        } else isKept.set(life.name, true);
      },
      async judge(zk) {
        // servers look for what is over every five ticks, and a session is at least four
        const goneMs = 2 * ttlMs + 4 * sessionTimeoutMs;
        await Promise.all(
          [...isKept].map(async ([name, isToStay]) => {
            const path = `${ROOT}/${name}`;
            if (isToStay) await stays(zk, court, path, 3 * ttlMs);
            else await goes(zk, court, path, ttlMs, goneMs);
          }),
        );
      },
    };
  },
};

/** The same znode, from the moment on when it is there and was touched. */
async function stays(zk: ZkClient, court: Court, path: string, forMs: number): Promise<void> {
  const first: { czxid: bigint | null } = { czxid: null };
  await court.until(zk, forMs, async () => {
    first.czxid = (await statOf(zk, path))?.czxid ?? null;
    const touch = await statOf(zk, `${path}/touch`);
    return first.czxid !== null && touch !== null ? '' : `${path} is not there`;
  });
  const endMs = court.nowMs + forMs;
  while (court.nowMs < endMs) {
    const now = await statOf(zk, path);
    if (now?.czxid !== first.czxid) {
      court.fail('R8', `${path} went while somebody looked after it`);
      return;
    }
    await pause(zk, LOOK_MS);
  }
}

async function goes(
  zk: ZkClient,
  court: Court,
  path: string,
  ttlMs: number,
  withinMs: number,
): Promise<void> {
  let touchedMs = -Infinity;
  await court.until(zk, withinMs, async () => {
    const stat = await statOf(zk, path);
    const touch = await statOf(zk, `${path}/touch`);
    touchedMs = Math.max(touchedMs, stat?.mtime ?? 0, touch?.mtime ?? 0);
    if (stat !== null) return `${path} is there, and was touched last ${touchedMs}`;
    const ageMs = zk.world.clock.wallMs() - touchedMs;
    if (ageMs < ttlMs) court.fail('R8', `${path} went after ${ageMs} ms, not ${ttlMs}`);
    return '';
  });
}

async function statOf(zk: ZkClient, path: string): Promise<Stat | null> {
  return await acrossSessions(zk, undefined, () => zk.exists(path));
}
