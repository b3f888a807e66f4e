/**
 * The first look at the znodes below a client's lasting watches: questions of the balancer's own that
 * stand among the client's on its session's connection, and are answered in their turn. So each answer
 * is true exactly between the events before it and those behind it.
 */
import { OpCode } from '../../protocol/opcodes.js';
import { RequestFlag, type InFlight } from './in-flight.js';
import type { WriterPool } from './outlet.js';
import type { Picture } from './picture.js';
import { writeSurvey } from './relisting.js';

/** True: there is something to send. */
export function askForPicture(
  picture: Picture,
  inFlight: InFlight,
  writers: WriterPool,
  nowMs: number,
): boolean {
  let path = picture.nextToAsk();
  if (path === null) return false;
  const out = writers.take();
  for (; path !== null; path = picture.nextToAsk()) {
    out.reset();
    writeSurvey(out, OpCode.getChildren, path);
    inFlight.add(out.bytes, 0, out.pos, RequestFlag.special | RequestFlag.own, nowMs);
    inFlight.seal();
  }
  writers.give(out);
  return true;
}
