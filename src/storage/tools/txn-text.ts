/** A transaction in one line (or more: ACL lists break it), as Apache's TxnLogToolkit prints it. */
import { opName, OpCode } from '../../protocol/opcodes.js';
import { Reader } from '../../protocol/reader.js';
import {
  readTxnPayload,
  type ACL,
  type Txn,
  type TxnBody,
  type TxnPayload,
} from '../../protocol/records.js';
import { decodeUtf8 } from '../../protocol/utf8.js';
import { javaAclList, javaHex, juteAcl, juteString } from './java-text.js';
import type { TimeText } from './time-text.js';

/** Throws MalformedError when the payload is none. */
export function parseTxn(payload: Uint8Array): TxnPayload {
  return readTxnPayload(new Reader(payload));
}

/** Without the line's end, unless the transaction's own text brings one. */
export function txnText({ header, body }: TxnPayload, time: TimeText): string {
  return (
    `${time.short(Number(header.time))} session 0x${javaHex(header.clientId)} ` +
    `cxid 0x${javaHex(BigInt(header.cxid))} zxid 0x${javaHex(header.zxid)} ` +
    `${opName(header.type)} ${bodyText(body)}`
  );
}

function bodyText(body: TxnBody): string {
  switch (body.type) {
    case OpCode.create:
    case OpCode.create2: {
      const { path, data, acl, ephemeral, parentCVersion } = body.txn;
      return `${named(path)},${text(data)},${javaAclList(acl)},${ephemeral},${parentCVersion}`;
    }
    case OpCode.createContainer: {
      const { path, data, acl, parentCVersion } = body.txn;
      return `${named(path)},${text(data)},${javaAclList(acl)},${parentCVersion}`;
    }
    case OpCode.createTTL: {
      const { path, data, acl, parentCVersion, ttl } = body.txn;
      return `${named(path)},${text(data)},${javaAclList(acl)},${parentCVersion},${ttl}`;
    }
    case OpCode.setData:
    case OpCode.reconfig:
      return `${named(body.txn.path)},${text(body.txn.data)},${body.txn.version}`;
    case OpCode.setACL:
      return `${juteString(body.txn.path)},${aclVector(body.txn.acl)},${body.txn.version}\n`;
    case OpCode.delete:
    case OpCode.deleteContainer:
      return `${juteString(body.txn.path)}\n`;
    case OpCode.check:
      return `${juteString(body.txn.path)},${body.txn.version}\n`;
    case OpCode.createSession:
      return `${body.txn.timeOut}\n`;
    case OpCode.closeSession:
      return body.txn === null
        ? ''
        : `v{${(body.txn.paths2Delete ?? []).map(juteString).join()}}\n`;
    case OpCode.error:
      return `${body.txn.err}\n`;
    case OpCode.multi:
      return (body.txn.txns ?? []).map(partText).join(';');
  }
}

/** Apache prints the encoded part as if it were text. */
function partText({ type, data }: Txn): string {
  return `${opName(type)}:${text(data)}`;
}

function aclVector(acls: readonly ACL[] | null): string {
  return `v{${(acls ?? []).map((acl) => `s{${juteAcl(acl)}}`).join()}}`;
}

function named(path: string | null): string {
  return path ?? 'null';
}

function text(data: Uint8Array | null): string {
  return data === null ? '' : decodeUtf8(data, 0, data.length);
}
