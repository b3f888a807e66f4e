/**
 * The reconfig operation as a transaction: the new configuration written to `/zookeeper/config`. What
 * the configuration is, and whether it may come into force, the leader knows; who may ask for it,
 * the znode's ACL says, and it is looked at last.
 */
import { ErrorCode } from '../protocol/errors.js';
import { Perms } from '../protocol/perms.js';
import { ReconfigRequest } from '../protocol/records.js';
import type { Writer } from '../protocol/writer.js';
import { zxidOfParts, type Zxid } from '../protocol/zxid.js';
import { StatAt } from './change-record.js';
import type { PrepareContext } from './context.js';

export const configPath = '/zookeeper/config';

export type ReconfigPlan =
  | { readonly error: number }
  | {
      readonly error: typeof ErrorCode.ok;
      readonly text: string;
      /** The transaction is proposed with the zxid that was given. */
      accept(): void;
    };

/** Knows the configuration and those who would have to agree. */
export interface ReconfigPlanner {
  plan(request: ReconfigRequest, zxid: Zxid): ReconfigPlan;
}

const VERSION = -1;

export function prepareReconfig(context: PrepareContext, out: Writer): number {
  const request = ReconfigRequest.read(context.reader);
  const { reconfig } = context.options;
  if (reconfig === undefined) return ErrorCode.reconfigDisabled;
  if (context.sessionEnded()) return ErrorCode.sessionExpired;
  // a standalone server has nobody to reconfigure
  if (reconfig === null) return ErrorCode.unimplemented;
  const plan = reconfig.plan(request, zxidOfParts(context.zxidHigh, context.zxidLow));
  if (!('text' in plan)) return plan.error;
  const node = context.outstanding.look(configPath);
  if (node === null) return ErrorCode.noNode;
  if (!context.allows(node.acl, Perms.write)) return ErrorCode.noAuth;
  const data = new TextEncoder().encode(plan.text);
  out.writeString(configPath);
  out.writeInt(data.length);
  out.writeBytes(data, 0, data.length);
  out.writeInt(VERSION);
  context.resultPath = configPath;
  context.outstanding.change(node);
  node.setInt(StatAt.version, VERSION);
  node.setLong(StatAt.mtime, context.timeHigh, context.timeLow);
  node.setLong(StatAt.mzxid, context.zxidHigh, context.zxidLow);
  node.dataLength = data.length;
  context.outstanding.settle(node);
  plan.accept();
  return ErrorCode.ok;
}
