/**
 * Services that register, change and leave, and load balancers that follow them: in the end everybody
 * knows exactly who is there, and until then nobody who has known somebody is left with nobody.
 */
import { instanceDefaults } from '../../../discovery/instance.js';
import type { Layout } from '../../../discovery/layout.js';
import { LoadBalancer } from '../../../discovery/load-balancer.js';
import { ZkRegistry } from '../../../discovery/zk-registry.js';
import { unlessStopped, type RecipeCase } from '../case.js';

const service = 's';

/** Small: some of the links here carry a few kilobytes a second, and sessions last a fifth of one. */
const layout: Layout = {
  name: 'small',
  isInNames: false,
  directoryOf: (name) => `/${name}`,
  read: (name, id, data) => {
    const [host = '', weight = ''] = new TextDecoder().decode(data).split(':');
    return { ...instanceDefaults, service: name, id, host, weight: Number(weight) };
  },
  write: ({ host, weight }) => new TextEncoder().encode(`${host}:${weight}`),
};
/** Of backing off and of asking again for a watch that failed. */
const PATIENCE_MS = 20_000;

export const discoveryCase: RecipeCase = {
  name: 'discovery',
  try: ({ random, court, actorCount, sessionTimeoutMs }) => {
    /** Or an id for each registration, as a process that starts again has another one. */
    const hasFixedIds = random.chance(0.5);
    const subset = random.chance(0.5) ? 'deterministic' : 'all';
    const balancers = new Map<string, LoadBalancer>();
    /** The weight that each has in the end. */
    const weights = new Map<string, number>();
    const wanted = (): string => described([...weights]);
    return {
      prepare: () => Promise.resolve(),
      async play(life) {
        const host = life.name;
        const registry = new ZkRegistry(life.zk, { layout, peersPath: '/p' });
        const lb = new LoadBalancer({ registry, service, subset, registryWaitMs: 100 });
        balancers.set(host, lb);
        const draw = (): number => life.random.between(1, 9);
        const spec = () => ({
          service,
          host,
          weight: draw(),
          ...(hasFixedIds ? { id: host } : {}),
        });
        let hasKnown = false;
        while (!life.stop.aborted) {
          const own = await unlessStopped(life, registry.register(spec(), { signal: life.stop }));
          if (own === null) break;
          await unlessStopped(life, lb.start({ signal: life.stop }));
          for (let i = life.random.between(1, 4); i > 0; i--) {
            await life.pause(life.random.between(5, 100));
            hasKnown ||= lb.instances.length > 0;
            if (hasKnown && life.isAlive) await lb.send({ signal: life.stop }, () => 0).catch(fail);
            if (life.random.chance(0.5)) await own.update({ weight: draw() });
          }
          life.round();
          await own.unregister();
        }
        const last = await registry.register(spec());
        for (let i = life.random.between(0, 3); i > 0; i--) await last.update({ weight: draw() });
        weights.set(host, last.instance.weight);
        await lb.start();

        function fail(error: unknown): void {
          if (!life.stop.aborted) court.fail('R5', `${host} has nobody: ${String(error)}`);
        }
      },
      async judge(zk) {
        await court.until(zk, 3 * sessionTimeoutMs + PATIENCE_MS, () => {
          const places = new Set<number>();
          for (const [name, lb] of balancers) {
            const told = described(lb.instances.map(({ host, weight }) => [host, weight]));
            if (told !== wanted()) return Promise.resolve(`${name} knows ${told}, not ${wanted()}`);
            const { position } = lb.status();
            if (position?.count === actorCount) places.add(position.index);
          }
          const isPlaced = subset === 'all' || places.size === actorCount;
          return Promise.resolve(isPlaced ? '' : `the peers have ${places.size} places`);
        });
      },
    };
  },
};

function described(weights: readonly (readonly [string, number])[]): string {
  return weights
    .map(([host, weight]) => `${host}:${weight}`)
    .sort()
    .join();
}
