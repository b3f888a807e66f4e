/**
 * Whether a write can be read at all, without judging it: what a learner must know before it sends a
 * request on. One that cannot be read takes no zxid, so nobody would hear of it again; its client is
 * told at once, as a server that leads would tell it. Nothing is allocated.
 */
import { OpCode } from '../protocol/opcodes.js';
import { MalformedError, type Reader } from '../protocol/reader.js';
import { readAcls } from './acl-codec.js';
import { NullAclError, readParts } from './multi.js';

/** The reader stands at the request's body; where it stands afterwards is of no use. */
export function isWellFormed(op: number, reader: Reader): boolean {
  try {
    switch (op) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        reader.readBufferView();
        reader.readBufferView();
        readAcls(reader);
        reader.readInt();
        if (op === OpCode.createTTL) reader.skip(8);
        return true;
      case OpCode.setData:
        reader.readBufferView();
        reader.readBufferView();
        reader.readInt();
        return true;
      case OpCode.setACL:
        reader.readBufferView();
        readAcls(reader);
        reader.readInt();
        return true;
      case OpCode.delete:
        reader.readBufferView();
        reader.readInt();
        return true;
      case OpCode.sync:
      case OpCode.deleteContainer:
        reader.readBufferView();
        return true;
      case OpCode.multi:
        readParts(reader);
        return true;
      default:
        return true;
    }
  } catch (problem) {
    if (!(problem instanceof MalformedError)) throw problem;
    // a multi that cannot be read is a transaction that failed, but for this one reason
    return op === OpCode.multi && !(problem instanceof NullAclError);
  }
}
