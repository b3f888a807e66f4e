/**
 * Who belongs to the ensemble, as this server knows it: the configuration in force, and the one that
 * was proposed last and may be in force elsewhere. While they differ, both decide. What was proposed
 * is on the disk before this server acknowledges it; what is in force, before this server, leading,
 * says so to anybody.
 */
import { counterOf, epochOf, type Zxid } from '../../protocol/zxid.js';
import { quorumOf, type Quorum } from '../../zab/quorum.js';
import type { ServerConfig } from '../config/config.js';
import { votersOf, readMembers, type Members } from '../config/members.js';
import { configText } from './config-text.js';

/** Where configurations outlive the process: the dynamic files. */
export interface ConfigStore {
  /** What was saved; null: nothing, the configuration that the server was started with counts. */
  load(): Promise<{ readonly inForce: string | null; readonly next: string | null }>;
  /** Proposed: found again at the next start. Null: nothing is. */
  saveNext(text: string | null): Promise<void>;
  /**
   * In force, instead of what was before. `hasClientAddress`: where this server's clients find it is
   * said there and nowhere else.
   */
  commit(text: string, version: bigint, hasClientAddress: boolean): Promise<void>;
}

export interface Configuration {
  readonly members: Members;
  readonly version: bigint;
  /** As servers tell it to each other. */
  readonly text: string;
  readonly quorum: Quorum;
}

export class Membership {
  readonly #isEnabled: boolean;
  readonly #quorumOf: (members: Members) => Quorum;
  #inForce: Configuration;
  #lastSeen: Configuration;
  #isSaved = true;

  constructor(
    members: Members,
    options: {
      /** `reconfigEnabled`; without it the configuration stays as it is, whatever others say. */
      readonly isEnabled: boolean;
      readonly quorumOf?: (members: Members) => Quorum;
    },
  ) {
    this.#isEnabled = options.isEnabled;
    this.#quorumOf = options.quorumOf ?? ((given) => quorumOf(given));
    this.#inForce = this.#lastSeen = this.configurationOf(members);
  }

  /** Takes part in reconfigurations. */
  get isEnabled(): boolean {
    return this.#isEnabled;
  }

  get inForce(): Configuration {
    return this.#inForce;
  }

  /** The same, or a later one that may or may not come into force. */
  get lastSeen(): Configuration {
    return this.#lastSeen;
  }

  get isPending(): boolean {
    return this.#lastSeen.version > this.#inForce.version;
  }

  /**
   * It watches. Not so if it votes in the configuration that is proposed: that may need it to come into
   * force.
   */
  isObserver(sid: number): boolean {
    const { inForce, lastSeen } = this;
    const isVoterSoon = lastSeen.members.servers.get(sid)?.role === 'participant';
    if (this.isPending && isVoterSoon) return false;
    return inForce.members.servers.get(sid)?.role === 'observer';
  }

  /** All that must agree, the one in force first. */
  quorums(): readonly Quorum[] {
    const { quorum } = this.#inForce;
    return this.isPending ? [quorum, this.#lastSeen.quorum] : [quorum];
  }

  /** What was seen last is not on the disk yet. */
  get mustSave(): boolean {
    return !this.#isSaved;
  }

  saved(seen: Configuration): void {
    if (this.#lastSeen === seen) this.#isSaved = true;
  }

  configurationOf(members: Members): Configuration {
    const { version } = members;
    return { members, version, text: configText(members), quorum: this.#quorumOf(members) };
  }

  /** Null: the text is no configuration. */
  read(text: string): Configuration | null {
    const reading = readMembers(text);
    return reading.ok && votersOf(reading.members).length > 0
      ? this.configurationOf(reading.members)
      : null;
  }

  /**
   * Proposed: to be saved before that is acknowledged. A leader's word counts, whatever was seen
   * before: what it does not know was never committed.
   */
  see(configuration: Configuration): void {
    if (!this.#isEnabled || configuration.version === this.#lastSeen.version) return;
    this.#lastSeen = configuration;
    this.#isSaved = false;
  }

  /**
   * In force elsewhere, it may be so here. One that is older than this server's own history is no news,
   * though its files, rewritten by hand, may know of none; but a history that ends with what is only
   * proposed says nothing of what was in force before.
   */
  isNews(version: bigint, inHistory: bigint): boolean {
    const isProposed = this.isPending && this.#lastSeen.version === inHistory;
    return version >= (isProposed ? this.#inForce.version : inHistory);
  }

  /**
   * What was proposed in the epoch that the history here ends in, and is not in it, was never
   * acknowledged by this server: it is as if the proposal had not come, though it was saved before it
   * was to be logged. Kept, it would have this server wait for those whom it makes voters, and who
   * may have logged it: they know more than this server, which may be all that the old quorum takes.
   */
  forgetUnlogged(zxid: Zxid, currentEpoch: number): void {
    const { version } = this.#lastSeen;
    // an epoch that has begun since may have begun with it; its own start is a version, no transaction
    const isOfEpoch = epochOf(version) === currentEpoch && counterOf(version) > 0;
    if (this.isPending && isOfEpoch && version > zxid) this.see(this.#inForce);
  }

  /** In force from now on. Null: it is, or a later one; otherwise the one before. */
  activate(configuration: Configuration): Configuration | null {
    if (!this.#isEnabled || configuration.version <= this.#inForce.version) return null;
    const before = this.#inForce;
    this.#inForce = configuration;
    if (configuration.version >= this.#lastSeen.version) {
      this.#lastSeen = configuration;
      this.#isSaved = true;
    }
    return before;
  }
}

/** As a server begins: from its configuration, or what it had saved later than that was written. */
export function membershipOf(
  config: ServerConfig,
  saved: { readonly inForce: string | null; readonly next: string | null },
  /** Of two servers one may go on alone while this says so; null: there is nobody to say so. */
  askOracle: (() => boolean) | null,
): Membership {
  const { ensemble } = config;
  const reading = saved.inForce === null ? null : readMembers(saved.inForce);
  const members = reading?.ok === true ? reading.members : ensemble;
  const membership = new Membership(members, {
    isEnabled: ensemble.reconfigEnabled,
    quorumOf: (given) => quorumOf(given, askOracle),
  });
  const next = saved.next === null ? null : membership.read(saved.next);
  if (next !== null && next.version > membership.inForce.version) {
    membership.see(next);
    membership.saved(next);
  }
  return membership;
}
