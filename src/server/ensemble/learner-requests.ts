/**
 * What learners ask a leader for on behalf of their clients: that sessions live, whether one does, and
 * writes, each in the name of the session that it belongs to.
 */
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import type { PacketView } from '../../protocol/peer/quorum-packet.js';
import { Reader } from '../../protocol/reader.js';
import type { Writer } from '../../protocol/writer.js';
import { serverOfSession } from '../../session/session-id.js';
import { Session } from '../../session/session.js';
import { NOBODY, type AclId, type Caller } from '../../txn/authorize.js';
import type { LinkId } from '../../zab/messages.js';
import type { Verdict } from '../attach.js';
import { PendingWrite } from '../pending.js';
import type { ProposingReplica } from '../proposing-replica.js';
import * as packets from './packets.js';
import type { QuorumLink } from './quorum-link.js';
import type { Surroundings } from './role.js';

interface LearnerRequestsParts {
  /** Null: not serving yet. */
  replica(): ProposingReplica | null;
  requestSync(link: LinkId): void;
  /** An answer begins. */
  begin(link: QuorumLink): Writer;
}

export class LearnerRequests {
  readonly #around: Surroundings;
  readonly #parts: LearnerRequestsParts;

  #caller: Caller = NOBODY;

  constructor(around: Surroundings, parts: LearnerRequestsParts) {
    this.#around = around;
    this.#parts = parts;
  }

  /** Sessions that a learner heard, each with its timeout. */
  touch(bytes: Uint8Array, start: number, end: number, nowMs: number): void {
    if (start < 0 || end - start < 12) return;
    const { sessions } = this.#around.applier();
    const reader = new Reader().reset(bytes, start, end);
    while (reader.remaining >= 12) {
      const session = sessions.get(reader.readLong());
      reader.readInt();
      if (session !== undefined) sessions.touch(session, nowMs);
    }
  }

  /** A session's client has come over that server. */
  revalidate(link: QuorumLink, packet: PacketView, nowMs: number): void {
    const asked = packets.readRevalidate(packet);
    if (asked === null) return;
    const verdict = this.#verdictOf(asked, link.id, nowMs);
    packets.writeRevalidated(this.#parts.begin(link), asked.session, verdict);
  }

  #verdictOf({ session: id, shown }: packets.Revalidate, over: LinkId, nowMs: number): Verdict {
    const { sessions } = this.#around.applier();
    const session = sessions.get(id);
    if (session === undefined || session.isClosing) return { kind: 'invalid' };
    const replica = this.#parts.replica();
    const attached = replica?.attach(session, shown ?? 0n) ?? null;
    // its time is not extended: nobody but itself may keep a client's session alive
    if (replica !== null && attached === null) return { kind: 'superseded' };
    if (!sessions.touch(session, nowMs)) return { kind: 'invalid' };
    session.moveTo(over);
    return { kind: 'valid', attached: shown === null ? null : attached };
  }

  onRequest(link: QuorumLink, packet: PacketView, nowMs: number): void {
    const replica = this.#parts.replica();
    if (replica === null || packet.dataStart < 0) return;
    const request = packets.readRequest(packet.bytes, packet.dataStart, packet.dataEnd);
    if (request === null) return;
    if (request.op === OpCode.sync) {
      this.#parts.requestSync(link.id);
      return;
    }
    const { sessions } = this.#around.applier();
    const id = (BigInt(request.sessionHigh | 0) << 32n) | BigInt(request.sessionLow);
    const into = replica.request;
    into.op = request.op;
    into.cxid = request.cxid;
    into.sessionHigh = request.sessionHigh;
    into.sessionLow = request.sessionLow;
    into.caller = this.#callerOf(packet.authinfo);
    into.bytes = request.bytes;
    into.start = request.start;
    into.end = request.end;
    const pending = new PendingWrite(null, request.op, request.cxid, nowMs);
    if (request.op === OpCode.createSession) {
      const timeoutMs = new Reader().reset(request.bytes, request.start, request.end).readInt();
      into.session = sessions.track(id, timeoutMs, nowMs);
      into.session.moveTo(link.id);
    } else {
      into.session = sessions.get(id) ?? this.#localElsewhere(id, request.op);
      if (request.op === OpCode.closeSession) into.start = into.end;
    }
    const { session } = into;
    // of a multi each part asks for the session, so one without parts goes through (as Apache's does)
    if (session === null && request.op !== OpCode.multi) {
      replica.submitFailure(pending, ErrorCode.sessionExpired);
    } else if (
      session !== null &&
      request.op !== OpCode.closeSession &&
      !session.isServedBy(link.id)
    ) {
      replica.submitFailure(pending, ErrorCode.sessionMoved);
    } else if (!replica.submit(pending)) {
      replica.submitFailure(pending, ErrorCode.marshallingError);
    }
  }

  /** One after the other mostly asks with the same identities. */
  #callerOf(authIds: readonly AclId[] | null): Caller {
    if (authIds === null) return NOBODY;
    if (this.#caller.authIds !== authIds) this.#caller = { authIds };
    return this.#caller;
  }

  /** A session that only a learner knows, as that one vouches for it. Null: it is gone. */
  #localElsewhere(id: bigint, op: number): Session | null {
    const { config, sid } = this.#around;
    if (!config.ensemble.localSessionsEnabled || serverOfSession(id) === sid) return null;
    if (op === OpCode.closeSession || this.#around.applier().sessions.hasEnded(id)) return null;
    const session = new Session(id, 0);
    session.locality = 'elsewhere';
    return session;
  }
}
