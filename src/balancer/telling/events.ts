/**
 * What the balancer tells whoever embeds it. Listeners are called at once, in the order in which they
 * came; one that throws keeps nobody else from hearing.
 */
import type { MoveOutcome, MoveReason } from '../keeping/keeping-types.js';

export interface BalancerEvents {
  /** A client has its first server. */
  attached: { readonly session: string; readonly client: string; readonly server: string };
  /** A planned move has ended, one way or another. */
  move: {
    readonly session: string;
    readonly reason: MoveReason;
    readonly outcome: MoveOutcome;
    readonly from: string | null;
    readonly to: string | null;
    readonly tookMs: number;
  };
  /** A server was lost, and a session went on elsewhere without its client noticing. */
  masked: {
    readonly session: string;
    readonly from: string;
    readonly to: string;
    readonly tookMs: number;
  };
  /** A client's connection was ended from here; its session lives on. */
  dropped: { readonly session: string; readonly client: string; readonly reason: string };
  /** A server fails too often, or differs too much from the others. */
  eject: { readonly server: string; readonly reason: string };
  /** It is used again. */
  restore: { readonly server: string };
  wake: { readonly server: string; readonly reason: string };
  sleep: { readonly server: string; readonly reason: string };
  /** `auto` has decided. */
  rule: { readonly what: 'subset' | 'policy'; readonly rule: string; readonly reason: string };
}

export type BalancerEventName = keyof BalancerEvents;
export type BalancerListener<E extends BalancerEventName> = (event: BalancerEvents[E]) => void;

export class BalancerEmitter {
  readonly #listeners = new Map<BalancerEventName, readonly ((event: never) => void)[]>();

  /** What it returns takes the listener off again. */
  on<E extends BalancerEventName>(name: E, listener: BalancerListener<E>): () => void {
    const entry = (event: BalancerEvents[E]): void => listener(event);
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), entry]);
    return () => {
      const left = (this.#listeners.get(name) ?? []).filter((other) => other !== entry);
      this.#listeners.set(name, left);
    };
  }

  emit<E extends BalancerEventName>(name: E, event: BalancerEvents[E]): void {
    const listeners = this.#listeners.get(name) as readonly BalancerListener<E>[] | undefined;
    for (const listener of listeners ?? []) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
