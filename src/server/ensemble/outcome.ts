/**
 * What a transaction says about the request that it came of. Whoever prepared it knows; everybody
 * else reads it from the record: an error, the path that was created, the parts of a multi.
 */
import { ErrorCode } from '../../protocol/errors.js';
import { OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import { intAt } from '../applier.js';
import type { PendingWrite } from '../pending.js';

const outcomeReader = new Reader();

const TYPE_AT = 28;
const RECORD_AT = 32;

/** Fills in what the reply needs from the record bytes[start, end), header first. */
export function readOutcome(
  pending: PendingWrite,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const type = intAt(bytes, start + TYPE_AT);
  const reader = outcomeReader.reset(bytes, start + RECORD_AT, end);
  switch (type) {
    case OpCode.error:
      pending.error = reader.readInt();
      return;
    case OpCode.multi: {
      const types: number[] = [];
      const paths: string[] = [];
      const count = reader.readInt();
      let error: number = ErrorCode.ok;
      for (let i = 0; i < count; i++) {
        const part = reader.readInt();
        const length = reader.readBufferView();
        types.push(part);
        const hasPath = part !== OpCode.error && length > 0;
        const view = new Reader().reset(
          bytes,
          reader.viewStart,
          reader.viewStart + Math.max(0, length),
        );
        paths.push(hasPath ? (view.readString() ?? '') : '');
        if (part === OpCode.error && error === ErrorCode.ok) error = view.readInt();
      }
      pending.multi = { types, paths, error };
      return;
    }
    case OpCode.createSession:
    case OpCode.closeSession:
      return;
    default:
      pending.error = ErrorCode.ok;
      pending.resultPath = reader.readString() ?? '';
  }
}
