/**
 * A client that comes by a balancer and does what a story tells it to: the same on the wire as all
 * others (`ClientConnection`), and judged like them, but it asks for nothing by itself.
 */
import { ConnectRequest } from '../../protocol/records.js';
import { Writer } from '../../protocol/writer.js';
import type { ClientWorld } from '../client.js';
import { ClientConnection } from '../client-connection.js';
import type { Story } from '../history.js';
import type { Host, SimSocket } from '../network.js';
import type { RequestBody } from '../requests.js';
import { balancerHost } from './balancer-parameters.js';
import { clientPort } from './parameters.js';

export type GuestWorld = Omit<ClientWorld, 'server'>;

export interface GuestReply {
  readonly op: number;
  readonly error: number;
  readonly zxid: bigint;
}

const ADDRESS = '10.0.9.2';

export class Guest implements Host {
  readonly name = 'guest';
  readonly isDead = false;
  readonly #world: ClientWorld;
  readonly #writer = new Writer();
  readonly #timeoutMs: number;
  #connection: ClientConnection | null = null;
  #password = new Uint8Array(16);
  #lastZxid = 0n;
  #xid = 0;
  session = 0n;
  /** Present connections that the other side has ended. */
  losses = 0;
  /** The session was over when it came with it. */
  isExpired = false;
  readonly replies: GuestReply[] = [];
  readonly events: { readonly type: number; readonly path: string }[] = [];
  /** Called with each event, at once. */
  onEvent: () => void = () => undefined;

  constructor(world: GuestWorld, timeoutMs: number) {
    this.#world = { ...world, server: { host: '', port: 0 } };
    this.#timeoutMs = timeoutMs;
  }

  post(task: () => void): void {
    this.#world.timeline.after(0, task);
  }

  get isServed(): boolean {
    return this.#connection?.isOpen === true;
  }

  /** With the session that it has, if it has one. A connection that it has stays, and is used no more. */
  connect(balancer: number): void {
    this.#connection = null;
    const to = { host: balancerHost(balancer), port: clientPort };
    this.#world.network.dial(this, ADDRESS, to, {
      onOpen: (socket) => {
        this.#greet(socket);
      },
      onRefused: () => {
        this.losses++;
      },
    });
  }

  /** What it asks for leaves in one piece. */
  ask(...bodies: readonly RequestBody[]): void {
    for (const body of bodies) {
      this.#connection?.send(this.#writer, ++this.#xid, body, false);
    }
    this.#connection?.flush(this.#writer);
  }

  /** To everybody it looks like a machine that is gone. */
  fallSilent(): void {
    this.#connection?.fallSilent();
  }

  leave(): void {
    this.#connection?.hangUp();
    this.#connection = null;
  }

  #greet(socket: SimSocket): void {
    const { history, timeline } = this.#world;
    const story: Story = {
      id: socket.id,
      client: this.name,
      address: socket.remoteAddress,
      openedMs: timeline.nowMs,
      floor: history.floor,
      asked: { sessionId: this.session, isPasswordRight: true, timeoutMs: this.#timeoutMs },
      answer: null,
      isReadOnly: false,
      frames: [],
      unanswered: [],
    };
    history.open(story);
    const connection = new ClientConnection(socket, story, this.#world, this.#timeoutMs, {
      onSession: (session, password) => {
        this.session = session;
        this.#password.set(password);
      },
      onExpired: () => {
        this.isExpired = true;
      },
      onReply: ({ body }, zxid, error) => {
        if (zxid > this.#lastZxid) this.#lastZxid = zxid;
        this.replies.push({ op: body.op, error, zxid });
      },
      onEvent: (type, path) => {
        this.events.push({ type, path });
        this.onEvent();
      },
      onClosed: () => {
        if (connection === this.#connection) this.losses++;
      },
    });
    this.#connection = connection;
    const out = this.#writer;
    out.writeInt(0);
    ConnectRequest.write(out, {
      protocolVersion: 0,
      lastZxidSeen: this.#lastZxid,
      timeOut: this.#timeoutMs,
      sessionId: this.session,
      passwd: this.#password,
      readOnly: false,
    });
    out.patchInt(0, out.pos - 4);
    connection.flush(out);
  }
}
