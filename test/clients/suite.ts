/** What a case is, and what it has at hand. */
import type { Client, ClientOptions } from 'zabra/client';
import type { Running, Target } from './targets.js';

export interface Scene {
  readonly target: Target;
  readonly running: Running;
  /** A path of this case's own, there already. */
  readonly path: string;
  /** Connected; closed when the case ends. */
  readonly client: (options?: ClientOptions & { readonly root?: string }) => Promise<Client>;
  /** Another one that is closed when the case ends, however it ends. */
  readonly adopt: (client: Client) => Client;
}

export interface Case {
  readonly name: string;
  /** Servers before this release cannot, and the client has nothing in its place. */
  readonly since?: readonly [major: number, minor: number];
  /** Only where there are three. */
  readonly needsEnsemble?: boolean;
  /** Only where there is one. */
  readonly needsOne?: boolean;
  readonly run: (scene: Scene) => Promise<void>;
}

/** Resolves when it holds; rejects after ten seconds. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ten seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
