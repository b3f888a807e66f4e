/**
 * What whoever goes on with a session here asks that Apache's clients cannot: what became of writes
 * whose answers were lost, and what watches missed meanwhile (`protocol/continuation.ts`). Both are
 * answered in their turn, from what has been applied and what is remembered of that (`recent/`).
 */
import {
  ContinuationOp,
  Fate,
  readCatchUp,
  readFateRequest,
  writeFates,
  type WriteFate,
} from '../protocol/continuation.js';
import { ErrorCode } from '../protocol/errors.js';
import { Perms } from '../protocol/perms.js';
import { MalformedError, type Reader } from '../protocol/reader.js';
import { utf8Length } from '../protocol/utf8.js';
import type { Session } from '../session/session.js';
import type { Attach } from './attach.js';
import { CatchUp } from './catch-up.js';
import type { ClientPort } from './client-port.js';
import type { ClientConnection } from './connection.js';

/** The lists of one `catchUp`, in frames of the largest size. */
const CATCH_UP_FRAMES_MAX = 64;
/** Of an event or a fate, besides its path or its body. */
const ENTRY_BYTES = 32;

/** Only on a connection that was granted the operation. `hasEnded`: as for reads. */
export function answerContinuation(
  connection: ClientConnection,
  op: number,
  xid: number,
  reader: Reader,
  hasEnded: boolean,
): void {
  const { attach, session, output, port } = connection;
  let error: number = ErrorCode.sessionExpired;
  let fates: readonly WriteFate[] | null = null;
  try {
    if (!hasEnded && session !== null && attach !== null) {
      error = ErrorCode.ok;
      if (op === ContinuationOp.fate) fates = fatesOf(port, session, reader);
      else error = catchUp(connection, attach, reader);
    }
  } catch (problem) {
    if (!(problem instanceof MalformedError)) throw problem;
    attach?.gathering?.refuse();
    port.onMalformed(connection, op);
    error = ErrorCode.marshallingError;
  }
  const out = output.beginReply(xid, port.zxidHigh, port.zxidLow, error);
  if (fates !== null) writeFates(out, fates);
  output.endReply(out);
}

function fatesOf(port: ClientPort, { idHigh, idLow }: Session, reader: Reader): WriteFate[] {
  const { recent } = port.replica.applier;
  const { since, cxids } = readFateRequest(reader);
  let room = port.eventBytesMax;
  return cxids.map((cxid) => {
    const known = recent.fateOf(idHigh, idLow, cxid, since);
    room -= ENTRY_BYTES + (known.fate === Fate.executed ? known.body.length : 0);
    const told: WriteFate = room >= 0 ? known : { cxid, fate: Fate.unknown };
    countFate(port, told);
    return told;
  });
}

function countFate({ metrics }: ClientPort, { fate }: WriteFate): void {
  switch (fate) {
    case Fate.executed:
      metrics.fatesExecuted.value++;
      return;
    case Fate.never:
      metrics.fatesNever.value++;
      return;
    case Fate.unknown:
      metrics.fatesUnknown.value++;
  }
}

/** What was missed leaves before the reply, and all in one turn: nothing falls between. */
function catchUp(connection: ClientConnection, attach: Attach, reader: Reader): number {
  const { port, output } = connection;
  const gathering = (attach.gathering ??= new CatchUp(CATCH_UP_FRAMES_MAX * port.frameBytesMax));
  const byteCount = reader.remaining;
  const part = readCatchUp(reader);
  gathering.add(part, byteCount);
  if (part.hasMore) return ErrorCode.ok;
  attach.gathering = null;
  if (gathering.isRefused) return ErrorCode.badArguments;
  const missed: { type: number; path: string; high: number; low: number }[] = [];
  // whoever does not take so many at once is closed
  let room = port.eventBytesMax - output.waitingBytes;
  const caughtUp = port.replica.applier.recent.catchUp(
    part.since,
    gathering.lists,
    (acl) => port.allows(acl, Perms.read, connection.caller),
    (type, path, high, low) => {
      room -= ENTRY_BYTES + utf8Length(path);
      if (room >= 0) missed.push({ type, path, high, low });
    },
  );
  if (!caughtUp.isCovered || room < 0) {
    port.metrics.catchUpsUncovered.value++;
    return ErrorCode.dataInconsistency;
  }
  port.metrics.catchUpsCovered.value++;
  for (const { type, path, high, low } of missed) connection.sendEvent(type, path, high, low);
  const { watches } = port;
  const { data, exist, child, persistent, recursive } = caughtUp.left;
  for (const path of data) watches.watchData(path, connection);
  for (const path of exist) watches.watchData(path, connection);
  for (const path of child) watches.watchChildren(path, connection);
  for (const path of persistent) watches.watchAlways(path, connection, false);
  for (const path of recursive) watches.watchAlways(path, connection, true);
  return ErrorCode.ok;
}
