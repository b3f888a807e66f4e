/**
 * A learner's part in configurations: it sees what is proposed before it acknowledges that, and finds
 * out what a configuration that has come into force means for its role.
 */
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import { decodeUtf8 } from '../../protocol/utf8.js';
import { zxidOfParts } from '../../protocol/zxid.js';
import type { ZxidPair } from '../../zab/sync-choice.js';
import { intAt } from '../applier.js';
import { areSameMembers, isAtSamePlace, type Members } from '../config/members.js';
import type { Configuration } from './membership.js';
import type { Surroundings } from './role.js';

/** In a transaction. */
const TYPE_AT = 28;
const RECORD_AT = 32;

/** A role that ends, and why. */
export interface MajorChange {
  readonly reason: string;
  /** Null: nobody said who leads now. */
  readonly leader: number | null;
}

export class ConfigFollow {
  readonly #around: Surroundings;
  readonly #isObserver: boolean;
  readonly #leader: number;
  /** Came with NEWLEADER: in force when a quorum has agreed to that. */
  #leaders: Configuration | null = null;

  constructor(around: Surroundings, isObserver: boolean, leader: number) {
    this.#around = around;
    this.#isObserver = isObserver;
    this.#leader = leader;
  }

  /** True: the record bytes[start, end) proposes a configuration, which is to be saved. */
  seesIn(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < RECORD_AT || intAt(bytes, start + TYPE_AT) !== OpCode.reconfig) return false;
    const { membership, logger } = this.#around;
    if (!membership.isEnabled) return false;
    const reader = new Reader().reset(bytes, start + RECORD_AT, end);
    reader.readString();
    const length = reader.readBufferView();
    const text = decodeUtf8(bytes, reader.viewStart, reader.viewStart + Math.max(0, length));
    const configuration = membership.read(text);
    if (configuration === null) {
      logger.error('the leader proposes a configuration that cannot be read', { text });
      return false;
    }
    membership.see(configuration);
    return true;
  }

  /** NEWLEADER: the leader completes what this says, whoever proposed it. */
  onNewLeader(bytes: Uint8Array, start: number, end: number): void {
    const { membership } = this.#around;
    if (!membership.isEnabled || start < 0 || end - start < 2) return;
    const configuration = membership.read(decodeUtf8(bytes, start, end));
    if (configuration === null) return;
    membership.see(configuration);
    this.#leaders = configuration;
  }

  /**
   * UPTODATE: a quorum has it. But not if it was proposed in this epoch and has not been committed to
   * here: then it comes into force, or not, like every other.
   */
  onUpToDate(epoch: number, committed: ZxidPair): MajorChange | null {
    const leaders = this.#leaders;
    if (leaders === null) return null;
    const start = zxidOfParts(epoch, 0);
    const isProposed = leaders.version > start;
    if (isProposed && leaders.version > zxidOfParts(committed.high, committed.low)) return null;
    return this.#activate(leaders, null);
  }

  /** The transaction that brought the version has been applied. */
  onActivated(version: bigint, leader: number): MajorChange | null {
    const { lastSeen } = this.#around.membership;
    return lastSeen.version === version ? this.#activate(lastSeen, leader) : null;
  }

  #activate(configuration: Configuration, leader: number | null): MajorChange | null {
    const before = this.#around.activate(configuration);
    if (before === null || areSameMembers(before.members, configuration.members)) return null;
    const { members } = configuration;
    const isObserver = members.servers.get(this.#around.sid)?.role === 'observer';
    if (isObserver !== this.#isObserver) {
      const role = isObserver ? 'an observer' : 'a voter';
      return { reason: `this server is ${role} now`, leader };
    }
    if (leader !== null) {
      const reason = `server ${leader} leads from here on`;
      return leader === this.#leader ? null : { reason, leader };
    }
    const stays = keepsPlace(this.#leader, before.members, members);
    return stays ? null : { reason: 'the leader is not where it was', leader: null };
  }
}

function keepsPlace(sid: number, before: Members, after: Members): boolean {
  const [old, now] = [before.servers.get(sid), after.servers.get(sid)];
  if (old?.role !== 'participant' || now?.role !== 'participant') return false;
  return isAtSamePlace(old, now);
}
