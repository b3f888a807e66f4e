/**
 * What a server would tell of each write to a client that lost its answer (`server/recent/`), judged
 * by what happened: the transactions, and what clients were answered. A fate may be unknown where it
 * is not remembered, and nowhere else; it is never a wrong one, in any byte.
 */
import { Fate } from '../protocol/continuation.js';
import { ErrorCode } from '../protocol/errors.js';
import { isClientWrite, OpCode } from '../protocol/opcodes.js';
import type { TxnPayload } from '../protocol/records.js';
import { formatZxid, zxidHigh, zxidLow, zxidOfParts } from '../protocol/zxid.js';
import type { Server } from '../server/server.js';
import { sameBytes } from './bytes.js';
import type { Frame, History } from './history.js';
import type { LoggedTxn } from './log-witness.js';

type Answer = Extract<Frame, { readonly kind: 'reply' }>;

/** To writes, by their sessions and numbers. */
type Answers = ReadonlyMap<string, Answer>;

const keyOf = (session: bigint, cxid: number): string => `${session}/${cxid}`;

/** Clients of the simulator count upwards. */
const NO_CXID = -4711;

/** What one of the servers tells wrongly; null: nothing. Servers that are down (null) tell nothing. */
export function wrongFate(
  servers: readonly (Server | null)[],
  txns: readonly LoggedTxn[],
  history: History,
): string | null {
  const answers = answersToWrites(history);
  for (const [index, server] of servers.entries()) {
    const wrong = server === null ? null : wrongFateAt(server, txns, answers);
    if (wrong !== null) return `server ${index + 1}: ${wrong}`;
  }
  return null;
}

function wrongFateAt(server: Server, txns: readonly LoggedTxn[], answers: Answers): string | null {
  const { recent } = server.replica.applier;
  const { tree } = server;
  const applied = zxidOfParts(tree.lastZxidHigh, tree.lastZxidLow);
  const { coversFrom } = recent;
  for (const { zxid, payload } of txns) {
    const { clientId, cxid, type } = payload.header;
    // nobody asks about those: they have no client, or no number of their own
    const isServers = type === OpCode.createSession || type === OpCode.deleteContainer;
    if (zxid > applied || clientId === 0n || isServers) continue;
    const isCovered = coversFrom !== null && zxid - 1n >= coversFrom;
    const [high, low] = [zxidHigh(clientId), zxidLow(clientId)];
    const name = `${formatZxid(zxid)} (cxid ${cxid})`;
    const told = recent.fateOf(high, low, cxid, zxid - 1n);
    const error = errorOf(payload);
    if (error === ErrorCode.sessionMoved) {
      if (told.fate !== Fate.executed || told.zxid !== zxid) continue;
      return `${name} was refused because its client is elsewhere, and counts as executed`;
    }
    if (told.fate !== Fate.executed) {
      if (told.fate === Fate.never) return `${name} was executed, and is said never to be`;
      if (isCovered && type !== OpCode.reconfig) return `${name} is covered, and unknown`;
      continue;
    }
    if (told.zxid !== zxid || told.error !== error) {
      return `${name} with error ${error} is said to be ${formatZxid(told.zxid)}, ${told.error}`;
    }
    const answer = answers.get(keyOf(clientId, cxid));
    const isSame = answer?.zxid === zxid && answer.error === error;
    if (isSame && !sameBytes(answer.bytes, told.body)) {
      return `${name} was answered otherwise than is told of it`;
    }
    const other = recent.fateOf(high, low, NO_CXID, zxid - 1n).fate;
    if (other !== (isCovered ? Fate.never : Fate.unknown)) {
      return `what nobody asked for after ${formatZxid(zxid - 1n)} has fate ${other}`;
    }
  }
  return null;
}

function answersToWrites({ stories }: History): Answers {
  const answers = new Map<string, Answer>();
  for (const { isReadOnly, frames } of stories) {
    if (isReadOnly) continue;
    for (const frame of frames) {
      if (frame.kind !== 'reply' || !isClientWrite(frame.request.body.op)) continue;
      answers.set(keyOf(frame.request.session, frame.request.xid), frame);
    }
  }
  return answers;
}

function errorOf({ body }: TxnPayload): number {
  return body.type === OpCode.error ? body.txn.err : ErrorCode.ok;
}
