/** The epoch files of all servers, as they are durable: promises are kept (S16). */
import type { PeerTap } from './peer-tap.js';
import type { SimMember } from './sim-member.js';

interface Parts {
  readonly peerTap: PeerTap;
  /** By the configuration that the ensemble begins with; null: that changes, so nobody knows. */
  readonly voterCount: number | null;
  /** An oracle allows it to lead without a word. */
  mayLeadAlone(sid: number): boolean;
  readonly fail: (invariant: string, message: string) => void;
}

export class EpochWatch {
  readonly #parts: Parts;
  /** By sid, as they were last found. */
  readonly #epochs = new Map<number, { readonly accepted: number; readonly current: number }>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  onWiped(sid: number): void {
    this.#epochs.delete(sid);
  }

  check(member: SimMember): void {
    const { acceptedEpoch: accepted, currentEpoch: current } = member.history;
    const before = this.#epochs.get(member.sid) ?? { accepted: 0, current: 0 };
    if (before.accepted === accepted && before.current === current) return;
    this.#epochs.set(member.sid, { accepted, current });
    const told = `accepted ${before.accepted} > ${accepted}, current ${before.current} > ${current}`;
    if (accepted < before.accepted || current < before.current || current > accepted) {
      this.#parts.fail('S16', `the epochs of ${member.name}: ${told}`);
    }
    // whoever votes alone leads without a word; while it starts its configuration is not known
    const voters = member.member?.membership.inForce.quorum.voters.size;
    const count = voters ?? this.#parts.voterCount ?? 1;
    if (count === 1 || this.#parts.mayLeadAlone(member.sid)) return;
    if (current > before.current) this.#parts.peerTap.onCurrentEpoch(member, current);
  }
}
