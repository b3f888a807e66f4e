/**
 * The subset of this balancer: its rule (src/balance/subset.ts), and the agreement with the other
 * balancers where there are any. `deterministic` needs no agreement, only a position, and `all` needs
 * nothing; the others are agreed on as soon as two balancers know of each other.
 */
import { AgreedSubset, type AgreementView } from '../../balance/agreed-subset.js';
import type { PeerPosition } from '../../balance/aperture.js';
import {
  subsetDefaults,
  type SubsetChange,
  type SubsetMember,
  type SubsetName,
  type SubsetOptions,
} from '../../balance/subset.js';
import { createSubset } from '../../balance/subsets.js';
import type { Registry, RegistryView } from './registry.js';

export interface ServingSetOptions {
  readonly name: SubsetName;
  readonly rules: Partial<SubsetOptions>;
  readonly scope: 'local' | 'ensemble' | null;
  readonly registry: Registry | null;
  readonly by: string;
  readonly random: () => number;
  /** The registry has told something. */
  readonly onChange: () => void;
}

export class ServingSet {
  readonly name: SubsetName;
  readonly #options: ServingSetOptions;
  readonly #agreed: AgreedSubset;
  readonly #rule: ReturnType<typeof createSubset>;
  #registry: RegistryView | null = null;
  #foreignWrites = 0;
  #reportMs = -Infinity;
  #hasAgreed = false;

  constructor(options: ServingSetOptions) {
    this.name = options.name;
    this.#options = options;
    this.#rule = createSubset(options.name, options.rules, options.random);
    this.#agreed = new AgreedSubset(this.#rule, options.random);
  }

  start(): void {
    this.#options.registry?.start((view) => {
      this.#registry = view;
      this.#options.onChange();
    });
  }

  async stop(): Promise<void> {
    await this.#options.registry?.stop();
  }

  get awake(): ReadonlyMap<string, number> {
    return this.#agreed.awake;
  }

  /** Which rule is at work. */
  get rule(): SubsetName {
    const { mode } = this.#agreed;
    if (mode !== 'following') return this.#rule.rule;
    const told = this.#registry?.published?.rule;
    return told === 'all' || told === 'rw' || told === 'rw-p' ? told : this.name;
  }

  get position(): PeerPosition | null {
    return this.#registry?.position ?? null;
  }

  get scope(): 'local' | 'ensemble' {
    return this.#agreement() === null ? 'local' : 'ensemble';
  }

  get nextMs(): number {
    return this.#agreed.nextMs;
  }

  look(
    nowMs: number,
    members: readonly SubsetMember[],
    fit: ReadonlySet<string>,
    pending: number,
  ): readonly SubsetChange[] {
    const agreement = this.#agreement();
    const foreign = this.#registry?.foreignWrites ?? 0;
    if (foreign !== this.#foreignWrites) {
      this.#foreignWrites = foreign;
      if (agreement?.isElected === true) this.#agreed.onWrite(nowMs);
    }
    const view = { nowMs, members, fit, pending, position: this.position };
    const changes = this.#agreed.look(view, agreement);
    if (agreement !== null) this.#publish(agreement);
    return changes;
  }

  /** A client has written. True: `look` is to follow. */
  onWrite(nowMs: number): boolean {
    const { rules, registry } = this.#options;
    const intervalMs = rules.wakeIntervalMs ?? subsetDefaults.wakeIntervalMs;
    if (this.#agreed.mode === 'following' && nowMs >= this.#reportMs + intervalMs) {
      this.#reportMs = nowMs;
      registry?.reportWrite();
    }
    return this.#agreed.onWrite(nowMs);
  }

  wake(id: string, nowMs: number): boolean {
    return this.#agreed.wake(id, nowMs);
  }

  sleep(id: string, nowMs: number): boolean {
    return this.#agreed.sleep(id, nowMs);
  }

  #publish(agreement: AgreementView): void {
    const { registry, by } = this.#options;
    const { rule } = this.#rule;
    const known = this.#registry?.published ?? null;
    const awake = this.#agreed.publication(agreement);
    if (awake !== null) registry?.publish({ awake, rule, by });
    else if (this.#agreed.mode === 'deciding' && known !== null && known.rule !== rule) {
      registry?.publish({ awake: known.awake, rule, by });
    }
  }

  /** Null: there is none to be sought. */
  #agreement(): AgreementView | null {
    const { scope, registry } = this.#options;
    const view = this.#registry;
    if (this.name === 'all' || this.name === 'deterministic') return null;
    if (scope === 'local' || registry === null || !registry.canAgree) return null;
    if (view === null) return null;
    // once agreed, a balancer that seems to be alone goes on publishing: another may come
    this.#hasAgreed ||= scope === 'ensemble' || (view.position?.count ?? 0) >= 2;
    if (!this.#hasAgreed) return null;
    const published = view.published?.awake ?? null;
    return { isConnected: view.isConnected, isElected: view.isElected, published };
  }
}
