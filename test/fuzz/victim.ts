/**
 * One connection that sends a generated stream and holds the server to what it owes for it. It ends
 * with the stream's end; the session behind it may be taken up by the next.
 */
import { connect, type Socket } from 'node:net';
import { FrameDecoder, Reader } from 'zabra/protocol';
import type { Address } from '../support/four-letter.js';
import { connectBytes, framed } from '../support/raw-client.js';
import { expectationOf, ReplyCheck, type Expectation } from './expectation.js';
import type { Batch } from './generator.js';

/** Longer than this for an answer is a hang. */
const patienceMs = 10_000;
const PIECES = 7;

export interface SessionKey {
  readonly sessionId: bigint;
  readonly password: Uint8Array;
}

/** The server did what it must not. */
export class Offence extends Error {
  override readonly name = 'Offence';
}

export class VictimConnection {
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder(0x7fffffff);
  readonly #check: ReplyCheck;
  #isClosed = false;
  #offence: string | null = null;
  #session: SessionKey | null = null;
  #awaitsSession = false;
  #bytesReceived = 0;
  #wake: (() => void) | null = null;

  private constructor(socket: Socket, tally?: Map<number, number>) {
    this.#socket = socket;
    this.#check = new ReplyCheck(tally);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#bytesReceived += chunk.length;
      if (this.#decoder.push(chunk, 0, chunk.length, this.#onFrame) !== 'ok') {
        this.#offence ??= 'a reply of negative length';
      }
      this.#wake?.();
    });
    socket.on('error', () => {
      // 'close' follows
    });
    socket.on('close', () => {
      this.#isClosed = true;
      this.#wake?.();
    });
  }

  static async open(address: Address, tally?: Map<number, number>): Promise<VictimConnection> {
    const socket = connect(address.port, address.host);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new VictimConnection(socket, tally);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** A new session, or (by its key) one from before; null: that one is over. */
  async handshake(key: SessionKey | null): Promise<SessionKey | null> {
    this.#awaitsSession = true;
    this.#socket.write(
      framed(
        connectBytes({
          protocolVersion: 0,
          lastZxidSeen: 0n,
          timeoutMs: 6000,
          sessionId: key?.sessionId ?? 0n,
          password: key?.password ?? new Uint8Array(16),
          readOnly: false,
        }),
      ),
    );
    await this.#until(() => this.#session !== null || this.#isClosed, 'an answer to a handshake');
    if (this.#session !== null && this.#session.sessionId !== 0n) return this.#session;
    if (key === null) throw new Offence('the server refused a plain handshake');
    return null;
  }

  /** Sends bytes that are no session's and waits for what becomes of them. */
  async playFirst(bytes: Uint8Array, mustClose: boolean): Promise<void> {
    this.#awaitsSession = true;
    this.#socket.write(bytes);
    await this.#until(
      () => this.#isClosed || (!mustClose && this.#bytesReceived > 0),
      'an answer to a first packet',
    );
    if (mustClose && this.#bytesReceived > 0) {
      throw new Offence('an answer to a connect request that cannot be read');
    }
  }

  /** Sends all of it, and waits until the server has done what it owes. Throws an Offence. */
  async play(batch: Batch): Promise<void> {
    const stream = Buffer.concat(batch.frames);
    const expected = expectationOf(stream);
    this.#check.expect(expected.duties, expected.overtaking);
    await this.#send(stream, batch.pacing);
    if (!expected.ends && expected.missing > 0) {
      // nobody owes an answer to what is not whole; this end of the stream is the last
      await this.#settle(() => this.#check.isSatisfied);
      this.destroy();
      return;
    }
    await this.#settle(() => this.#isDone(expected));
    if (this.#isClosed && !expected.ends) throw new Offence('closed without a reason');
    if (!expected.ends || this.#isForgiven(expected, stream)) return;
    if (!this.#check.isSatisfied) {
      throw new Offence(`closed before ${JSON.stringify(this.#check.next)} was answered`);
    }
  }

  destroy(): void {
    this.#socket.destroy();
    this.#isClosed = true;
  }

  #isDone(expected: Expectation): boolean {
    return expected.ends ? this.#isClosed : this.#check.isSatisfied || this.#isClosed;
  }

  /** What closes at once may cut off earlier answers; unread bytes make the kernel do so, too. */
  #isForgiven(expected: Expectation, stream: Uint8Array): boolean {
    const last = expected.duties[expected.duties.length - 1]?.kind;
    return last === 'close' || last === 'authFailed' || expected.consumed < stream.length;
  }

  async #settle(isReady: () => boolean): Promise<void> {
    await this.#until(isReady, `an answer to ${JSON.stringify(this.#check.next)}`);
    if (this.#offence !== null) throw new Offence(this.#offence);
  }

  async #send(stream: Uint8Array, pacing: Batch['pacing']): Promise<void> {
    if (pacing === 'whole') {
      this.#socket.write(stream);
      return;
    }
    const step = pacing === 'bytes' ? 1 : Math.max(1, Math.ceil(stream.length / PIECES));
    for (let at = 0; at < stream.length && !this.#isClosed; at += step) {
      this.#socket.write(stream.subarray(at, at + step));
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  }

  readonly #onFrame = (bytes: Uint8Array, start: number, end: number): boolean => {
    const frame = bytes.slice(start, end);
    if (this.#awaitsSession) {
      this.#awaitsSession = false;
      const reader = new Reader(frame);
      reader.skip(8);
      this.#session = {
        sessionId: reader.readLong(),
        password: reader.readBuffer() ?? new Uint8Array(0),
      };
      return true;
    }
    this.#offence ??= this.#check.onFrame(frame);
    return true;
  };

  async #until(isReady: () => boolean, what: string): Promise<void> {
    const isOver = (): boolean => isReady() || this.#offence !== null;
    if (isOver()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = null;
        reject(new Offence(`waited ${patienceMs} ms in vain for ${what}`));
      }, patienceMs);
      this.#wake = () => {
        if (!isOver()) return;
        this.#wake = null;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
