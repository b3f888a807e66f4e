/**
 * What one member of a TestEnsemble has of time and of the network. Several members share a process,
 * and that process cannot die or stand still for just one of them; so each gets everything that could
 * ever wake it through a cell of its own. A cell that is frozen keeps what comes until it thaws, as a
 * stopped process does; one that has ended lets nothing through any more, in either direction.
 *
 * A partition is between two cells: what one sends to the other is on its way until the partition
 * heals, and then it arrives, as it does when TCP sends again what was lost.
 */
import { nodeNetwork } from '../node/network.js';
import type { Clock, Timer } from '../ports/clock.js';
import type { ListenOptions, Listener, Network, Socket, SocketHandler } from '../ports/network.js';

type Task = () => void;

/** Which member is at the other end of a connection, and who is cut off from whom. */
export class Wires {
  /** By the ports on which members listen for each other. */
  readonly #sidOfPort: ReadonlyMap<number, number>;
  /** By the port from which a member called; the last one to have had it. */
  readonly #callers = new Map<number, number>();
  /** Of each member while there is a partition. */
  readonly #sides = new Map<number, number>();
  readonly #delayMs = new Map<number, number>();

  constructor(sidOfPort: ReadonlyMap<number, number>) {
    this.#sidOfPort = sidOfPort;
  }

  /** Undefined: no member listens there for members. */
  memberAt(port: number): number | undefined {
    return this.#sidOfPort.get(port);
  }

  callerFrom(port: number): number | undefined {
    return this.#callers.get(port);
  }

  onCall(sid: number, fromPort: number): void {
    this.#callers.set(fromPort, sid);
  }

  /** Whoever is in no group is alone. */
  cut(groups: readonly (readonly number[])[]): void {
    this.#sides.clear();
    for (const sid of this.#sidOfPort.values()) this.#sides.set(sid, -sid);
    for (const [side, group] of groups.entries())
      for (const sid of group) this.#sides.set(sid, side);
  }

  heal(): void {
    this.#sides.clear();
  }

  /** Whatever reaches these members arrives so much later; none of them named: any member. */
  delay(byMs: number, sids: readonly number[]): void {
    const all = [...this.#sidOfPort.values()];
    for (const sid of sids.length === 0 ? all : sids) this.#delayMs.set(sid, byMs);
  }

  delayMsTo(sid: number): number {
    return this.#delayMs.get(sid) ?? 0;
  }

  isCut(one: number, other: number): boolean {
    return this.#sides.get(one) !== this.#sides.get(other);
  }
}

export class MemberCell {
  readonly sid: number;
  readonly wires: Wires;
  readonly #time: Clock;
  readonly connections = new Set<CellConnection>();
  readonly #listeners = new Set<Listener>();
  readonly #timers = new Set<Timer>();
  readonly #waiting: Task[] = [];
  #state: 'running' | 'frozen' | 'ended' = 'running';

  constructor(sid: number, wires: Wires, time: Clock) {
    this.sid = sid;
    this.wires = wires;
    this.#time = time;
  }

  get state(): 'running' | 'frozen' | 'ended' {
    return this.#state;
  }

  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen';
  }

  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'running';
    for (const task of this.#waiting.splice(0)) this.run(task);
    this.deliver();
  }

  /** What was held back and may arrive now does. */
  deliver(): void {
    for (const connection of [...this.connections]) connection.deliver();
  }

  /** Resolves when its ports are free; everything else has ended when it returns. */
  async end(): Promise<void> {
    this.#state = 'ended';
    this.#waiting.length = 0;
    for (const timer of this.#timers) timer.cancel();
    for (const connection of [...this.connections]) connection.sever();
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
  }

  /** Now, when it thaws, or never. */
  run(task: Task): void {
    if (this.#state === 'running') task();
    else if (this.#state === 'frozen') this.#waiting.push(task);
  }

  readonly clock: Clock = {
    wallMs: () => this.#time.wallMs(),
    monotonicMs: () => this.#time.monotonicMs(),
    after: (delayMs, run) => {
      let isCancelled = this.#state === 'ended';
      const real = this.#time.after(delayMs, () => {
        this.#timers.delete(timer);
        this.run(() => {
          if (!isCancelled) run();
        });
      });
      const timer: Timer = {
        cancel: () => {
          isCancelled = true;
          real.cancel();
          this.#timers.delete(timer);
        },
      };
      if (isCancelled) real.cancel();
      else this.#timers.add(timer);
      return timer;
    },
    soon: (run) => {
      this.#time.soon(() => {
        this.run(run);
      });
    },
  };

  readonly network: Network = {
    listen: async (options, accept) => await this.#listen(options, accept),
    connect: (options, accept) => this.#connect(options, accept),
  };

  async #listen(
    options: ListenOptions,
    accept: (socket: Socket) => SocketHandler,
  ): Promise<Listener> {
    const isForMembers = this.wires.memberAt(options.port) !== undefined;
    const listener = await nodeNetwork.listen(options, (socket) => {
      const peer = isForMembers ? () => this.wires.callerFrom(socket.remotePort) : () => undefined;
      return new CellConnection(this, socket, peer, accept);
    });
    this.#listeners.add(listener);
    return {
      host: listener.host,
      port: listener.port,
      close: () => {
        this.#listeners.delete(listener);
        return listener.close();
      },
    };
  }

  async #connect(
    options: Parameters<Network['connect']>[0],
    accept: (socket: Socket) => SocketHandler,
  ): Promise<Socket> {
    const other = this.wires.memberAt(options.port);
    if (other !== undefined && this.wires.isCut(this.sid, other)) {
      await new Promise<void>((resolve) => {
        this.clock.after(options.timeoutMs, resolve);
      });
      throw new Error(`no connection to ${options.host}:${options.port}: cut off`);
    }
    return await new Promise((resolve, reject) => {
      let made: CellConnection | null = null;
      const connecting = nodeNetwork.connect(options, (socket) => {
        this.wires.onCall(this.sid, socket.localPort);
        made = new CellConnection(this, socket, () => other, accept);
        return made;
      });
      connecting.then(
        (socket) => {
          this.run(() => {
            resolve(made ?? socket);
          });
        },
        (problem: unknown) => {
          this.run(() => {
            reject(problem instanceof Error ? problem : new Error(String(problem)));
          });
        },
      );
    });
  }
}

interface Held {
  /** By the member's clock. */
  readonly dueMs: number;
  readonly task: Task;
}

/** A connection of a member: the socket that it knows, and the handler that the network knows. */
class CellConnection implements Socket, SocketHandler {
  readonly #cell: MemberCell;
  readonly #socket: Socket;
  readonly #peer: () => number | undefined;
  #handler: SocketHandler | null = null;
  readonly #held: Held[] = [];
  #isPausedByMember = false;
  #isDelivering = false;

  constructor(
    cell: MemberCell,
    socket: Socket,
    peer: () => number | undefined,
    accept: (socket: Socket) => SocketHandler,
  ) {
    this.#cell = cell;
    this.#socket = socket;
    this.#peer = peer;
    cell.connections.add(this);
    if (cell.state === 'ended') this.sever();
    else if (cell.state === 'running') this.#handler = accept(this);
    else this.#held.push({ dueMs: 0, task: () => (this.#handler = accept(this)) });
  }

  // ------------------------------------------------------------------ for the cell

  deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    while (this.#isOpen) {
      const [first] = this.#held;
      if (first === undefined || first.dueMs > this.#cell.clock.monotonicMs()) break;
      this.#held.shift();
      first.task();
    }
    this.#isDelivering = false;
    if (this.#held.length === 0 && !this.#isPausedByMember) this.#socket.resume();
  }

  sever(): void {
    this.#held.length = 0;
    this.#cell.connections.delete(this);
    this.#socket.destroy();
  }

  get #isOpen(): boolean {
    if (this.#cell.state !== 'running') return false;
    const peer = this.#peer();
    return peer === undefined || !this.#cell.wires.isCut(this.#cell.sid, peer);
  }

  get #isDirect(): boolean {
    const isSlow = this.#cell.wires.delayMsTo(this.#cell.sid) > 0;
    return !isSlow && this.#held.length === 0 && this.#isOpen;
  }

  /** Nothing of what comes may pass what came before it. */
  #pass(task: Task): void {
    if (this.#isDirect) {
      task();
      return;
    }
    const delayMs = this.#cell.wires.delayMsTo(this.#cell.sid);
    if (this.#cell.state === 'ended') return;
    this.#held.push({ dueMs: this.#cell.clock.monotonicMs() + delayMs, task });
    if (delayMs === 0) this.#socket.pause();
    else this.#cell.clock.after(delayMs, () => this.deliver());
  }

  // ------------------------------------------------------------------ for the network

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isDirect) {
      this.#handler?.onData(bytes, start, end);
      return;
    }
    // lent for this call alone
    const copy = bytes.slice(start, end);
    this.#pass(() => this.#handler?.onData(copy, 0, copy.length));
  }

  onDrain(): void {
    this.#pass(() => this.#handler?.onDrain());
  }

  onClose(error: Error | null): void {
    this.#pass(() => {
      this.#cell.connections.delete(this);
      this.#handler?.onClose(error);
    });
  }

  // ------------------------------------------------------------------ for the member

  get remoteAddress(): string {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number {
    return this.#socket.remotePort;
  }

  get localAddress(): string {
    return this.#socket.localAddress;
  }

  get localPort(): number {
    return this.#socket.localPort;
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  write(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#socket.write(bytes, start, end);
  }

  pause(): void {
    this.#isPausedByMember = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPausedByMember = false;
    if (this.#held.length === 0) this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
