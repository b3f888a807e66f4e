/**
 * The autopilot at work in a leader: once a tick it looks, and what it decides becomes ordinary
 * transactions of this leader's own, the record first (`autopilot-record.ts`), then an incremental
 * reconfiguration like any that an operator asks for.
 */
import { ErrorCode, errorSentence } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Perms } from '../../protocol/perms.js';
import { CreateRequest, ReconfigRequest, SetDataRequest } from '../../protocol/records.js';
import { Writer } from '../../protocol/writer.js';
import { OWN_CLIENTS, Session } from '../../session/session.js';
import { NOBODY } from '../../txn/authorize.js';
import type { Leader } from '../../zab/leader.js';
import type { AutopilotView } from '../commands/ensemble-view.js';
import type { ServerConfig } from '../config/config.js';
import { readMembers } from '../config/members.js';
import { PendingWrite, type WriteWaiter } from '../pending.js';
import type { ProposingReplica } from '../proposing-replica.js';
import { Autopilot, type Step } from './autopilot.js';
import { recordIn, recordPath, recordText, serverLine, type TakenOut } from './autopilot-record.js';
import { configText } from './config-text.js';
import type { Surroundings } from './role.js';

const encoder = new TextEncoder();
/** Clients read who is out; it is the leader's to write. */
const recordAcl = [{ perms: Perms.read, id: { scheme: 'world', id: 'anyone' } }];

const noChange: ReconfigRequest = {
  joiningServers: null,
  leavingServers: null,
  newMembers: null,
  curConfigId: -1n,
};

interface AutopilotParts {
  readonly leader: Leader;
  readonly replica: () => ProposingReplica | null;
}

/** Why there is none though it is wanted, for the log at the start; null: it is as it is wanted. */
export function whyNoAutopilot({ autopilotDeadMs, ensemble }: ServerConfig): string | null {
  if (autopilotDeadMs === 0) return null;
  const without = 'autopilot.deadMs has no effect, and nobody is taken out:';
  if (!ensemble.reconfigEnabled) return `${without} reconfigEnabled is not true`;
  return ensemble.groupOf.size > 0 ? `${without} there are groups` : null;
}

export class AutopilotLead implements WriteWaiter, AutopilotView {
  readonly #around: Surroundings;
  readonly #parts: AutopilotParts;
  readonly #autopilot: Autopilot;
  readonly #session = new Session(0n, 0);
  #lookedMs = 0;
  /** What was committed at the last look. */
  #committedLow = 0;
  /** A step is proposed and not applied. */
  #isWaiting = false;
  /** The reconfiguration that is being judged is this autopilot's. */
  #isAsking = false;

  /** Null: it is not wanted, or must not reconfigure. */
  static of(around: Surroundings, parts: AutopilotParts): AutopilotLead | null {
    const { config, membership } = around;
    if (config.autopilotDeadMs === 0 || !membership.isEnabled) return null;
    return new AutopilotLead(around, parts);
  }

  private constructor(around: Surroundings, parts: AutopilotParts) {
    const { config, sid, clock } = around;
    this.#around = around;
    this.#parts = parts;
    this.#session.moveTo(OWN_CLIENTS);
    const { autopilotDeadMs: deadMs, tickTimeMs: tickMs } = config;
    this.#autopilot = new Autopilot({ sid, deadMs, tickMs, nowMs: clock.monotonicMs() });
  }

  get deadMs(): number {
    return this.#around.config.autopilotDeadMs;
  }

  get state(): string {
    const { members } = this.#around.membership.inForce;
    return members.groupOf.size > 0 ? 'off: there are groups' : this.#autopilot.state;
  }

  tick(nowMs: number): void {
    const { config, membership, applier, clock } = this.#around;
    const { leader, replica } = this.#parts;
    if (nowMs - this.#lookedMs < config.tickTimeMs) return;
    if (replica() === null || !leader.isServing || leader.isHandingOver) return;
    this.#lookedMs = nowMs;
    const learners = new Map<number, { isUpToDate: boolean }>();
    for (const learner of leader.links()) {
      learners.set(learner.sid, { isUpToDate: learner.has(this.#committedLow) });
    }
    this.#committedLow = leader.committedLow;
    const { members } = membership.inForce;
    // with groups nobody could say where a server belongs that is let in
    if (members.groupOf.size > 0) return;
    const isReconfiguring = membership.isPending || leader.isReconfiguring || this.#isWaiting;
    const out = recordIn(applier().tree);
    const sight = { members, isReconfiguring, learners, out, wallMs: clock.wallMs() };
    const step = this.#autopilot.look(sight, nowMs);
    if (step !== null) this.#take(step, nowMs);
  }

  /**
   * Somebody's reconfiguration is proposed. Whoever names a server, or says who is to be there, has
   * decided about it: it is not let in again behind his back.
   */
  onReconfiguration(request: ReconfigRequest): void {
    if (this.#isAsking) return;
    const { clock, applier } = this.#around;
    clock.soon(() => {
      const out = recordIn(applier().tree);
      if (out === null || this.#parts.replica() === null) return;
      const kept = this.#autopilot.decidedElsewhere(out, decidedAbout(request, out));
      if (kept !== null) this.#record(kept);
    });
  }

  onApplied(): void {
    this.#isWaiting = false;
  }

  #take(step: Step, nowMs: number): void {
    const { logger } = this.#around;
    switch (step.kind) {
      case 'record':
        this.#check(this.#record(step.out), nowMs);
        return;
      case 'takeOut': {
        const { sid } = step.server.server;
        logger.warn('autopilot: takes out a server that stayed away', {
          server: sid,
          awayMs: Math.round(step.deadMs),
          line: serverLine(step.server.server),
        });
        this.#check(this.#reconfigure({ ...noChange, leavingServers: String(sid) }), nowMs);
        return;
      }
      case 'letIn': {
        const { server, sinceMs } = step.server;
        logger.info('autopilot: lets a server in again', {
          server: server.sid,
          outMs: Math.max(0, Math.floor(this.#around.clock.wallMs()) - sinceMs),
          line: serverLine(server),
        });
        this.#check(this.#reconfigure(this.#joining(step.server)), nowMs);
      }
    }
  }

  #check(error: number, nowMs: number): void {
    if (error === ErrorCode.ok) return;
    const reason = errorSentence(error);
    this.#around.logger.warn('autopilot: a step was refused', { reason });
    this.#autopilot.refused(reason, nowMs);
  }

  /** Asked for one by one, a server must say its client port; otherwise all are said. */
  #joining({ server }: TakenOut): ReconfigRequest {
    if (server.client !== null) return { ...noChange, joiningServers: serverLine(server) };
    const { members } = this.#around.membership.inForce;
    const servers = new Map([...members.servers, [server.sid, server]]);
    const lines = configText({ ...members, servers }).split('\n');
    const newMembers = lines.filter((line) => !line.startsWith('version=')).join(',');
    return { ...noChange, newMembers, curConfigId: members.version };
  }

  #record(out: readonly TakenOut[]): number {
    const path = recordPath;
    const data = encoder.encode(recordText(out));
    const { tree } = this.#around.applier();
    if (tree.findPath(path) === 0) {
      return this.#submit(OpCode.create, (to) => {
        CreateRequest.write(to, { path, data, acl: recordAcl, flags: 0 });
      });
    }
    return this.#submit(OpCode.setData, (to) => {
      SetDataRequest.write(to, { path, data, version: -1 });
    });
  }

  #reconfigure(request: ReconfigRequest): number {
    this.#isAsking = true;
    try {
      return this.#submit(OpCode.reconfig, (to) => {
        ReconfigRequest.write(to, request);
      });
    } finally {
      this.#isAsking = false;
    }
  }

  /** As the super user, whom every ACL allows. Returns the error that it is answered with. */
  #submit(op: number, write: (to: Writer) => void): number {
    const replica = this.#parts.replica();
    if (replica === null) return ErrorCode.sessionExpired;
    const writer = new Writer();
    write(writer);
    const { request } = replica;
    request.op = op;
    request.cxid = 0;
    request.session = this.#session;
    request.sessionHigh = request.sessionLow = 0;
    request.caller = { authIds: [{ scheme: 'super', id: '' }] };
    request.bytes = writer.bytes;
    request.start = 0;
    request.end = writer.pos;
    const pending = new PendingWrite(this, op, 0, this.#around.clock.monotonicMs());
    this.#isWaiting = true;
    replica.submit(pending);
    request.caller = NOBODY;
    return pending.error;
  }
}

function decidedAbout(request: ReconfigRequest, out: readonly TakenOut[]): Set<number> {
  const { leavingServers, joiningServers, newMembers } = request;
  if (newMembers !== null) {
    const reading = readMembers(newMembers.replaceAll(',', '\n'));
    return new Set(reading.ok ? out.map(({ server }) => server.sid) : []);
  }
  const leaving = (leavingServers ?? '').split(',').filter((text) => text.trim() !== '');
  const joining = [...(joiningServers ?? '').matchAll(/(?:^|,)\s*server\.(\d+)\s*=/g)];
  return new Set([...leaving.map(Number), ...joining.map(([, sid]) => Number(sid))]);
}
