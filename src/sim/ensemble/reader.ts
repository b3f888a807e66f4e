/**
 * A client that can bear a server without a quorum (`readonlymode.enabled`), for stories: it says so,
 * looks at the root and watches it, tries to write, and takes its watch and what it has seen with it
 * to the next server.
 */
import { ErrorCode, errorName } from '../../protocol/errors.js';
import { FrameDecoder } from '../../protocol/frame.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader as BytesReader } from '../../protocol/reader.js';
import { ConnectRequest, ConnectResponse } from '../../protocol/records.js';
import { Writer } from '../../protocol/writer.js';
import { SpecialXid } from '../../protocol/xid.js';
import type { Timeline } from '../clock.js';
import type { Host, SimNetwork, SimSocket } from '../network.js';
import { writeFrame, type RequestBody } from '../requests.js';
import { clientPort, hostOf } from './parameters.js';

interface ReaderWorld {
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  readonly fail: (invariant: string, message: string) => void;
}

const TIMEOUT_MS = 30_000;
const FRAME_BYTES_MAX = 1 << 20;
const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];

export class Reader implements Host {
  readonly name = 'reader';
  readonly isDead = false;
  readonly #world: ReaderWorld;
  #decoder = new FrameDecoder(FRAME_BYTES_MAX);
  readonly #writer = new Writer();
  #socket: SimSocket | null = null;
  #isGreeted = false;
  #zxid = 0n;
  #xid = 0;
  #asked = new Map<number, number>();
  /** Of its present connection: the server can only be read. */
  isReadOnly = false;
  isServed = false;
  refused = 0;
  read = 0;
  events = 0;

  constructor(world: ReaderWorld) {
    this.#world = world;
  }

  post(task: () => void): void {
    this.#world.timeline.after(0, task);
  }

  /** Comes as a new client that has seen what this one has. */
  connect(sid: number): void {
    this.leave();
    this.#decoder = new FrameDecoder(FRAME_BYTES_MAX);
    this.#asked = new Map();
    this.#world.network.dial(
      this,
      '10.0.9.1',
      { host: hostOf(sid), port: clientPort },
      {
        onOpen: (socket) => {
          this.#greet(socket);
        },
        onRefused: () => undefined,
      },
    );
  }

  leave(): void {
    this.#socket?.destroy();
    this.#socket = null;
    this.#isGreeted = this.isServed = this.isReadOnly = false;
  }

  /** The children of the root, and a watch on them. */
  look(): void {
    this.#ask({ op: OpCode.getChildren, value: { path: '/', watch: true } });
  }

  tryToWrite(): void {
    const value = { path: '/reader', data: null, acl, flags: 0 };
    this.#ask({ op: OpCode.create, value });
  }

  #ask(body: RequestBody): void {
    const xid = ++this.#xid;
    this.#asked.set(xid, body.op);
    writeFrame(this.#writer, xid, body, false);
    this.#flush();
  }

  #flush(): void {
    const bytes = this.#writer.take();
    this.#writer.reset();
    this.#socket?.write(bytes, 0, bytes.length);
  }

  #greet(socket: SimSocket): void {
    this.#socket = socket;
    socket.serve({
      onData: (bytes, start, end) => {
        this.#decoder.push(bytes, start, end, (frame, from, to) => {
          this.#hear(new BytesReader().reset(frame, from, to));
          return true;
        });
      },
      onDrain: () => undefined,
      onClose: () => {
        if (this.#socket === socket) this.leave();
      },
    });
    const out = this.#writer;
    out.writeInt(0);
    ConnectRequest.write(out, {
      protocolVersion: 0,
      lastZxidSeen: this.#zxid,
      timeOut: TIMEOUT_MS,
      sessionId: 0n,
      passwd: new Uint8Array(16),
      readOnly: true,
    });
    out.patchInt(0, out.pos - 4);
    this.#flush();
  }

  #hear(reader: BytesReader): void {
    if (!this.#isGreeted) {
      this.#isGreeted = true;
      const { timeOut, readOnly } = ConnectResponse.read(reader);
      this.isServed = timeOut > 0;
      this.isReadOnly = readOnly === true;
      return;
    }
    const xid = reader.readInt();
    const zxid = reader.readLong();
    const error = reader.readInt();
    if (xid === SpecialXid.notification) {
      this.events++;
      return;
    }
    if (zxid < this.#zxid) {
      this.#world.fail('C6', `the reader is shown ${zxid}, and has seen ${this.#zxid}`);
    }
    this.#zxid = zxid;
    const isWrite = this.#asked.get(xid) === OpCode.create;
    if (isWrite && error === ErrorCode.notReadOnly) this.refused++;
    else if (isWrite || error !== ErrorCode.ok) {
      this.#world.fail('RO', `without a quorum the reader is answered ${errorName(error)}`);
    } else this.read++;
  }

  /** Sets its watch again, as one that was set when it last saw something. */
  watchAgain(): void {
    const none: string[] = [];
    const value = {
      ...{ relativeZxid: this.#zxid, dataWatches: none, existWatches: none },
      childWatches: ['/'],
    };
    writeFrame(this.#writer, SpecialXid.setWatches, { op: OpCode.setWatches, value }, false);
    this.#flush();
  }
}
