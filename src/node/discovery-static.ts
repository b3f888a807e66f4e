/** A registry that is a list in this process, in the real world's time. */
import { StaticRegistry as AnyStaticRegistry } from '../discovery/static-registry.js';
import type { StaticInstance, StaticRegistryOptions } from '../discovery/static-registry.js';
import { nodeClock } from './clock.js';

export class StaticRegistry extends AnyStaticRegistry {
  constructor(
    services: Readonly<Record<string, readonly StaticInstance[]>>,
    options: StaticRegistryOptions = {},
  ) {
    super(services, options, { clock: nodeClock, random: () => Math.random() });
  }
}
