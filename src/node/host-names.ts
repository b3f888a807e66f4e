/**
 * Addresses of hosts. The system's own look-up comes first, because it knows the files and the search
 * list that people have set up. But it takes one of two threads that all look-ups of this process share,
 * and a name server that is silent holds them for many seconds: when it does not answer soon, name
 * servers are asked from here as well, so that a name which they know does not wait for one that hangs.
 */
import { Resolver, lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { HostNames } from '../ports/host-names.js';

const PATIENCE_MS = 300;

/** For tests: whom to ask in place of the system, and of its name servers. */
export interface NameSources {
  readonly system: (host: string) => Promise<readonly string[]>;
  readonly direct: (host: string) => Promise<readonly string[]>;
  readonly patienceMs: number;
}

/** `servers`: name servers that are asked first, the system only where these know nothing. */
export function systemHostNames(
  servers: readonly string[] = [],
  sources: Partial<NameSources> = {},
): HostNames {
  const { system = bySystem, direct = directly(servers), patienceMs = PATIENCE_MS } = sources;
  const [first, second] = servers.length === 0 ? [system, direct] : [direct, system];
  return {
    async addresses(host) {
      if (isIP(host) !== 0) return [host];
      const timer = new AbortController();
      try {
        const asked = first(host);
        const late = after(patienceMs, timer.signal).then(() => second(host));
        // both may fail, and then the reason of the first is the one to tell
        const found = await Promise.race([
          servers.length === 0 ? asked : asked.catch(() => second(host)),
          late.catch(() => asked),
        ]);
        if (found.length === 0) throw new Error(`${host} has no address`);
        return found;
      } finally {
        timer.abort();
      }
    },
  };
}

async function bySystem(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}

function directly(servers: readonly string[]): NameSources['direct'] {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  if (servers.length > 0) resolver.setServers(servers);
  return async (host) => {
    const [four, six] = await Promise.allSettled([
      resolver.resolve4(host),
      resolver.resolve6(host),
    ]);
    const found = [four, six].flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    if (found.length === 0) throw new Error(`${host} has no address`);
    return found;
  };
}

/** Never resolves once it is aborted. */
function after(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delayMs);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
    });
  });
}
