/**
 * What a server sent, as text that two servers can be compared by: times, session ids and passwords
 * are masked, zxids count from the start of the run, and what has no order is sorted. Everything
 * else of a reply stands in it, so equal lines mean equal bytes.
 */
import { OpCode, Reader } from 'zabra/protocol';
import type { Received, Reply } from '../../support/raw-client.js';
import { readAcl, readMultiResults, readStat, readStrings } from '../../support/requests.js';
import type { Stat } from '../../support/requests.js';

export class Masks {
  readonly #firstZxid: bigint;
  readonly #sessions = new Map<bigint, string>();

  constructor(firstZxid: bigint) {
    this.#firstZxid = firstZxid;
  }

  learnSession(id: bigint): void {
    this.#sessions.set(id, `session ${this.#sessions.size}`);
  }

  zxid(value: bigint): string {
    if (value <= 0n) return String(value);
    return value < this.#firstZxid ? 'old' : `+${value - this.#firstZxid}`;
  }

  owner(value: bigint): string {
    return value === 0n ? '0' : (this.#sessions.get(value) ?? 'unknown');
  }

  stat(stat: Stat): unknown {
    return {
      ...stat,
      czxid: this.zxid(stat.czxid),
      mzxid: this.zxid(stat.mzxid),
      pzxid: this.zxid(stat.pzxid),
      ctime: stat.ctime === 0n ? 0 : 'time',
      mtime: stat.mtime === stat.ctime ? 'the same' : 'time',
      ephemeralOwner: this.owner(stat.ephemeralOwner),
    };
  }
}

function hex(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('hex');
}

/** mtime may or may not fall into the millisecond of ctime: not compared after a change. */
function withoutTiming(shown: unknown): unknown {
  return JSON.parse(
    JSON.stringify(shown, (key, value: unknown) => (key === 'mtime' ? undefined : value)),
  );
}

function bodyOf(op: number, reader: Reader, masks: Masks): unknown {
  switch (op) {
    case OpCode.create:
    case OpCode.sync:
      return reader.readString();
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return { path: reader.readString(), stat: masks.stat(readStat(reader)) };
    case OpCode.exists:
    case OpCode.setData:
    case OpCode.setACL:
      return masks.stat(readStat(reader));
    case OpCode.getData:
      return { data: hex(reader.readBuffer()), stat: masks.stat(readStat(reader)) };
    case OpCode.getACL:
      return { acl: readAcl(reader), stat: masks.stat(readStat(reader)) };
    case OpCode.getChildren:
    case OpCode.getEphemerals:
      return readStrings(reader).sort();
    case OpCode.getChildren2:
      return { children: readStrings(reader).sort(), stat: masks.stat(readStat(reader)) };
    case OpCode.multi:
    case OpCode.multiRead:
      return readMultiResults(reader).map((result) => ({
        ...result,
        ...(result.data === undefined ? {} : { data: hex(result.data) }),
        ...(result.stat === undefined ? {} : { stat: masks.stat(result.stat) }),
        ...(result.children === undefined ? {} : { children: [...result.children].sort() }),
      }));
    case OpCode.whoAmI: {
      const infos: string[] = [];
      for (let left = reader.readInt(); left > 0; left -= 1) {
        infos.push(`${reader.readString() ?? ''}:${reader.readString() ?? ''}`);
      }
      return infos.sort();
    }
    default:
      return hex(reader.bytes.slice(reader.pos, reader.end));
  }
}

function replyLine(reply: Reply, op: number | undefined, masks: Masks): string {
  const head = `reply ${reply.xid} zxid ${masks.zxid(reply.zxid)} err ${reply.err}`;
  if (reply.err !== 0 || op === undefined) return `${head} ${hex(reply.body) ?? ''}`;
  const reader = new Reader().reset(reply.body, 0, reply.body.length);
  const shown = JSON.stringify(withoutTiming(bodyOf(op, reader, masks)));
  const rest = op === OpCode.addWatch ? 0 : reader.remaining;
  return `${head} length ${reply.body.length} ${shown}${rest > 0 ? ` and ${rest} bytes` : ''}`;
}

/**
 * Lines for what one connection received. With `sortEvents`, events beside each other have no order:
 * the znodes of a session go in any.
 */
export function linesOf(
  received: readonly Received[],
  ops: ReadonlyMap<number, number>,
  masks: Masks,
  sortEvents: boolean,
): string[] {
  const lines: string[] = [];
  let events: string[] = [];
  const flush = (): void => {
    lines.push(...(sortEvents ? events.sort() : events));
    events = [];
  };
  for (const one of received) {
    if ('event' in one) {
      const { type, state, path, zxid } = one.event;
      events.push(`event ${type} state ${state} zxid ${masks.zxid(zxid)} ${path}`);
      continue;
    }
    flush();
    if (one.reply.xid !== -2) lines.push(replyLine(one.reply, ops.get(one.reply.xid), masks));
  }
  flush();
  return lines;
}
