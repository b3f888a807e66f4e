/**
 * A simulated client: speaks the protocol by itself, records what it saw, and behaves as clients do
 * on good and on bad days. It pipelines, pings, reconnects by id and password and sets its watches
 * again; it also hangs up in the middle of a frame, falls silent until its session is gone, stops
 * reading, steals its own session by a second connection, and shows wrong passwords.
 */
import type { SeededRandom } from '../base/random.js';
import { formatZxid } from '../protocol/zxid.js';
import { nextXid, SpecialXid } from '../protocol/xid.js';
import { OpCode } from '../protocol/opcodes.js';
import { Writer } from '../protocol/writer.js';
import { ConnectRequest, type Stat } from '../protocol/records.js';
import type { Timeline, Moment } from './clock.js';
import { ClientConnection } from './client-connection.js';
import { ClientWatches } from './client-watches.js';
import { simDigest } from './crypto.js';
import type { AuthId, History, SentRequest, Story } from './history.js';
import type { Address, Host, SimNetwork, SimSocket } from './network.js';
import type { RequestBody } from './requests.js';
import type { Trace } from './trace.js';
import { Workload, type WorkloadTraits } from './workload.js';

export interface ClientTraits {
  readonly thinkMs: number;
  /** Requests it sends without waiting for answers. */
  readonly depth: number;
  readonly timeoutMs: number;
  readonly reconnectMs: number;
  readonly authChance: number;
  /** That a resumed session's watches and proofs go out right behind the handshake; 0.3 unless told. */
  readonly resumeEarlyChance?: number;
  readonly workload: WorkloadTraits;
  /** It can bear a server without a quorum. */
  readonly acceptsReadOnly?: boolean;
  /** Per request sent. */
  readonly mischief: Readonly<Record<Mischief, number>>;
}

/** Hang up, fall silent, close the session, stop reading, come twice, lie about the password. */
export type Mischief = 'hangUp' | 'silence' | 'close' | 'deaf' | 'twice' | 'lie' | 'mangle';

export interface ClientWorld {
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  readonly history: History;
  readonly trace: Trace;
  readonly server: Address;
  /** Clients come through others: servers see those. */
  readonly isRelayed?: boolean;
  fail(invariant: string, message: string): void;
}

/** Sends nothing more once so much of its own waits to leave. */
const UNSENT_BYTES_MAX = 256 * 1024;

export class SimClient implements Host {
  readonly name: string;
  readonly address: string;
  readonly isDead = false;
  readonly #world: ClientWorld;
  readonly #random: SeededRandom;
  readonly #traits: ClientTraits;
  readonly #workload: Workload;
  readonly #watches = new ClientWatches();
  readonly #writer = new Writer(1024);
  #auth: AuthId | null = null;
  #authText = '';
  #sessionId = 0n;
  #password = new Uint8Array(16);
  #timeoutMs = 0;
  /** Its session is one of the ensemble's, or was for all it can tell; others end with their server's. */
  #hasMetQuorum = false;
  #lastZxid = 0n;
  #xid = 0;
  #connection: ClientConnection | null = null;
  #isDialing = false;
  #dialTimeout: Moment | null = null;
  #nextAct: Moment | null = null;
  #isCalm = false;
  #isGone = false;
  /** Its last write in calm times, until it is answered. */
  #proofXid = 0;
  isProven = false;

  constructor(
    name: string,
    address: string,
    world: ClientWorld,
    random: SeededRandom,
    traits: ClientTraits,
  ) {
    this.name = name;
    this.address = address;
    this.#world = world;
    this.#random = random;
    this.#traits = traits;
    this.#workload = new Workload(random, traits.workload);
    if (random.chance(traits.authChance)) this.#authText = `${name}:secret`;
  }

  get sessionId(): bigint {
    return this.#sessionId;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get isConnected(): boolean {
    return this.#connection?.isOpen ?? false;
  }

  post(task: () => void): void {
    this.#world.timeline.after(0, task);
  }

  start(): void {
    this.#actIn(this.#random.fraction() * this.#traits.reconnectMs);
  }

  /** No more mischief; from here on it must be served. */
  calmDown(): void {
    this.#isCalm = true;
    this.#proofXid = 0;
    const connection = this.#connection;
    if (connection?.isSilent) this.#loseConnection(connection);
    else connection?.hear();
    if (!this.#isGone) this.#actIn(1);
  }

  /** Falls silent for ever, without a word. */
  leave(): void {
    this.#isGone = true;
    this.#nextAct?.cancel();
    this.#connection?.fallSilent();
  }

  // ------------------------------------------------------------------ what it does

  #actIn(delayMs: number): void {
    this.#nextAct?.cancel();
    this.#nextAct = this.#world.timeline.after(delayMs, () => {
      this.#act();
    });
  }

  #act(): void {
    if (this.#isGone) return;
    const connection = this.#connection;
    if (connection === null) {
      this.#connect();
      return;
    }
    this.#actIn(-this.#thinkMs() * Math.log(1 - this.#random.fraction()));
    if (!connection.isOpen || connection.isSilent) return;
    if (this.#isCalm) {
      this.#prove(connection);
      return;
    }
    const room = this.#traits.depth - connection.story.unanswered.length;
    if (room <= 0 || connection.unsentBytes > UNSENT_BYTES_MAX) return;
    if (this.#misbehave(connection)) return;
    const burst = this.#random.chance(0.3) ? this.#random.between(1, room) : 1;
    for (let i = 0; i < burst; i++) this.#sendNext(connection);
    connection.flush(this.#writer);
  }

  #thinkMs(): number {
    return this.#isCalm ? 50 : this.#traits.thinkMs;
  }

  #sendNext(connection: ClientConnection): void {
    const body = this.#workload.next();
    const mayMangle = body.op !== OpCode.whoAmI && body.op !== OpCode.check;
    const isMangled = mayMangle && this.#random.chance(this.#traits.mischief.mangle);
    this.#send(connection, body, isMangled);
  }

  #send(connection: ClientConnection, body: RequestBody, isMangled = false): SentRequest {
    const isAgain = body.op === OpCode.setWatches || body.op === OpCode.setWatches2;
    const special = isAgain ? SpecialXid.setWatches : null;
    const xid = special ?? (this.#xid = nextXid(this.#xid));
    return connection.send(this.#writer, xid, body, isMangled);
  }

  #prove(connection: ClientConnection): void {
    if (this.#proofXid !== 0) return;
    const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];
    const path = `/alive-${this.name}`;
    const value = { path, data: null, acl, flags: 0 };
    this.#proofXid = this.#send(connection, { op: OpCode.create, value }).xid;
    connection.flush(this.#writer);
  }

  /** True: it did something else than asking. */
  #misbehave(connection: ClientConnection): boolean {
    const random = this.#random;
    const { mischief } = this.#traits;
    const { timeline, trace } = this.#world;
    if (random.chance(mischief.hangUp)) {
      trace.note('F', this.name, 'hangs up');
      if (random.chance(0.5)) {
        // in the middle of a frame, if the link cuts it there
        this.#sendNext(connection);
        connection.flush(this.#writer);
      }
      this.#loseConnection(connection);
      return true;
    }
    if (random.chance(mischief.silence)) {
      trace.note('F', this.name, 'falls silent');
      connection.fallSilent();
      const forMs = this.#timeoutMs * 2.5 * random.fraction();
      this.#nextAct?.cancel();
      this.#nextAct = timeline.after(forMs, () => {
        this.#loseConnection(connection);
      });
      return true;
    }
    if (random.chance(mischief.close)) {
      this.#send(connection, { op: OpCode.closeSession, value: {} });
      connection.flush(this.#writer);
      return true;
    }
    if (random.chance(mischief.deaf)) {
      trace.note('F', this.name, 'stops reading');
      connection.stopReading(this.#timeoutMs * random.fraction());
      return false;
    }
    if (random.chance(mischief.twice)) {
      trace.note('F', this.name, 'connects twice');
      this.#connection = null;
      this.#connect();
      timeline.after(this.#timeoutMs * random.fraction(), () => {
        connection.hangUp();
      });
      return true;
    }
    return false;
  }

  // ------------------------------------------------------------------ connections

  #connect(): void {
    if (this.#isDialing || this.#isGone) return;
    this.#isDialing = true;
    const { network, server, timeline } = this.#world;
    const giveUp = (): void => {
      if (!this.#isDialing) return;
      this.#isDialing = false;
      this.#dialTimeout?.cancel();
      this.#actIn(this.#traits.reconnectMs * (0.5 + this.#random.fraction()));
    };
    const patienceMs = Math.max(500, this.#traits.timeoutMs / 2);
    this.#dialTimeout = timeline.after(patienceMs, giveUp);
    network.dial(this, this.address, server, {
      onOpen: (socket) => {
        if (!this.#isDialing || this.#isGone) {
          socket.destroy();
          return;
        }
        this.#isDialing = false;
        this.#dialTimeout?.cancel();
        this.#shakeHands(socket);
      },
      onRefused: giveUp,
    });
  }

  #shakeHands(socket: SimSocket): void {
    const { history, timeline } = this.#world;
    const isLie =
      !this.#isCalm && this.#sessionId !== 0n && this.#random.chance(this.#traits.mischief.lie);
    // a session of a server without a quorum is worth nothing elsewhere
    if (this.#traits.acceptsReadOnly === true && !this.#hasMetQuorum) this.#forgetSession();
    const story: Story = {
      id: socket.id,
      client: this.name,
      address: this.#world.isRelayed === true ? socket.remoteAddress : this.address,
      openedMs: timeline.nowMs,
      floor: history.floor,
      asked: {
        sessionId: this.#sessionId,
        isPasswordRight: !isLie,
        timeoutMs: this.#traits.timeoutMs,
      },
      answer: null,
      isReadOnly: false,
      frames: [],
      unanswered: [],
    };
    history.open(story);
    this.#auth = null;
    const connection = new ClientConnection(socket, story, this.#world, this.#traits.timeoutMs, {
      onSession: (sessionId, password, timeoutMs) => {
        this.#onSession(connection, sessionId, password, timeoutMs);
      },
      onExpired: () => {
        if (isLie) this.#loseConnection(connection);
        else this.#onExpired(connection);
      },
      onReply: (request, zxid, error, value) => {
        this.#onReply(connection, request, zxid, error, value);
      },
      onEvent: (type, path) => {
        this.#watches.onEvent(type, path);
      },
      onClosed: () => {
        this.#loseConnection(connection);
      },
    });
    this.#connection = connection;
    const password = isLie ? this.#password.map((byte) => byte ^ 1) : this.#password;
    const out = this.#writer;
    const isPlain = this.#random.chance(0.8);
    out.writeInt(0);
    ConnectRequest.write(out, {
      protocolVersion: 0,
      lastZxidSeen: this.#lastZxid,
      timeOut: this.#traits.timeoutMs,
      sessionId: this.#sessionId,
      passwd: password,
      readOnly: this.#traits.acceptsReadOnly === true ? true : isPlain ? false : null,
    });
    out.patchInt(0, out.pos - 4);
    this.#world.trace.note('M', this.name, 'connects', isLie ? 1 : 0, 0, () => {
      return `session=0x${BigInt.asUintN(64, this.#sessionId).toString(16)}`;
    });
    // what a resuming client has to say need not wait for the answer
    const earlyChance = this.#traits.resumeEarlyChance ?? 0.3;
    const isEarly = this.#sessionId !== 0n && !isLie && this.#random.chance(earlyChance);
    if (isEarly) this.#resume(connection);
    connection.flush(out);
  }

  #resume(connection: ClientConnection): void {
    connection.hasResumed = true;
    if (this.#authText !== '') this.#sendAuth(connection);
    if (!this.#watches.isEmpty) this.#send(connection, this.#watches.again(this.#lastZxid));
  }

  #sendAuth(connection: ClientConnection): void {
    const auth = Uint8Array.from(this.#authText, (c) => c.charCodeAt(0));
    const hash = simDigest('SHA1', auth) ?? new Uint8Array(0);
    const id = `${this.name}:${btoa(String.fromCharCode(...hash))}`;
    this.#auth = { scheme: 'digest', id };
    connection.prove(this.#writer, { type: 0, scheme: 'digest', auth }, this.#auth);
  }

  #onSession(
    connection: ClientConnection,
    sessionId: bigint,
    password: Uint8Array,
    timeoutMs: number,
  ): void {
    if (connection !== this.#connection) return;
    this.#sessionId = sessionId;
    this.#password.set(password);
    this.#timeoutMs = timeoutMs;
    this.#hasMetQuorum ||= !connection.story.isReadOnly;
    if (!connection.hasResumed) this.#resume(connection);
    connection.flush(this.#writer);
    this.#actIn(this.#random.fraction() * this.#thinkMs());
  }

  #onExpired(connection: ClientConnection): void {
    if (connection !== this.#connection) return;
    this.#forgetSession();
    this.#loseConnection(connection);
  }

  #forgetSession(): void {
    this.#sessionId = 0n;
    this.#password = new Uint8Array(16);
    this.#hasMetQuorum = false;
    this.#xid = 0;
    this.#watches.clear();
  }

  #onReply(
    connection: ClientConnection,
    request: SentRequest,
    zxid: bigint,
    error: number,
    value: unknown,
  ): void {
    if (connection !== this.#connection) return;
    if (zxid > this.#lastZxid) this.#lastZxid = zxid;
    else if (
      connection.story.isReadOnly &&
      request.xid > 0 &&
      zxid >= 0n &&
      zxid < this.#lastZxid
    ) {
      const seen = formatZxid(this.#lastZxid);
      this.#world.fail('C6', `${this.name} is shown ${formatZxid(zxid)}, and has seen ${seen}`);
    }
    if (request.xid === this.#proofXid && this.#isCalm) this.isProven = true;
    const { body } = request;
    this.#watches.onReply(body, error);
    if (body.op === OpCode.closeSession) {
      this.#onExpired(connection);
      return;
    }
    if (value === null) return;
    const { path, stat } = value as { path?: string; stat?: Stat };
    if (path !== undefined) this.#workload.learnName(path);
    if (stat !== undefined && 'path' in body.value && typeof body.value.path === 'string') {
      this.#workload.learn(body.value.path, stat);
    }
  }

  #loseConnection(connection: ClientConnection): void {
    if (connection !== this.#connection) return;
    this.#connection = null;
    this.#proofXid = 0;
    connection.hangUp();
    if (!this.#isGone) this.#actIn(this.#traits.reconnectMs * this.#random.fraction());
  }
}
