/**
 * Whether balancers that are to agree on the servers in use do (B7): who does not decide uses what was
 * published last, as far as those servers are well for it, and no other one beside them. One that is cut
 * off from the others keeps to the last that it has heard.
 */
import type { RegistryView } from '../../balancer/pool/registry.js';
import type { BalancerStatus } from '../../balancer/telling/status.js';

/** Where fewer of those that were agreed on are well, a balancer adds some of its own. */
const LEAST = 2;

/** What is wrong with what a balancer uses, as things stand; null: nothing. */
export function disagreement(status: BalancerStatus, view: RegistryView | null): string | null {
  const { servers, subset } = status;
  if (subset.scope !== 'ensemble' || subset.isPanicking) return null;
  const published = view?.published?.awake;
  if (view === null || published === undefined) return null;
  if (view.isElected && view.isConnected) return null;
  const able = servers.filter(({ isHealthy, set, weight, role }) => {
    return isHealthy && set !== 'draining' && weight > 0 && role !== 'read-only';
  });
  const agreed = able.filter(({ id }) => published.includes(id));
  const idle = agreed.find(({ set }) => set !== 'awake');
  if (idle !== undefined) return `${idle.id} is ${idle.set}, and all are to use it`;
  if (agreed.length < LEAST) return null;
  const own = able.find(({ id, set }) => set === 'awake' && !published.includes(id));
  return own === undefined ? null : `${own.id} is awake, agreed are ${published.join()}`;
}
