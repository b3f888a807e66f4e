/**
 * An operator's restore on a simulated ensemble: a snapshot of what is there and of one znode more takes
 * the place of everything, by the server that leads. To the history that is one transaction that nobody
 * asked for and that no log holds: the chronicle is told of it before, and whether it comes to that is
 * then seen by whoever leads next with it.
 *
 * What is written between the snapshot and its restore is lost, which is what a restore is for; so
 * that nothing is missed, no client is let in meanwhile.
 */
import { OpCode } from '../../protocol/opcodes.js';
import { CreateTxn, TxnHeader } from '../../protocol/records.js';
import { Writer } from '../../protocol/writer.js';
import type { Zxid } from '../../protocol/zxid.js';
import type { Restore } from '../../storage/restore.js';
import { restoredPrefix } from '../checker.js';
import { snapshotWith } from '../scratch.js';
import type { Chronicle } from './chronicle.js';
import type { SimMember } from './sim-member.js';

/** A restore comes so far behind the last transaction (storage/restore.ts). */
const ROOM = 4_000_000n;
/** As much as comes at once. */
const PIECE_BYTES = 700;

const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }];

/** Under way, or how it ended. */
export interface Restoration {
  readonly path: string;
  outcome: 'under way' | 'done' | 'failed';
  reason: string;
}

/** Nothing is written from now on, and the server leads: it is to restore, as an AdminServer tells it. */
export async function restoreOn(
  leader: SimMember,
  chronicle: Chronicle,
  wallMs: number,
): Promise<Restoration> {
  const path = `${restoredPrefix}${chronicle.txns.length}`;
  const restoration: Restoration = { path, outcome: 'under way', reason: '' };
  const before = chronicle.last;
  const txn = creation(path, before + ROOM, wallMs);
  const bytes = await snapshotWith(leader.image.clone(), leader.config, txn);
  chronicle.onRecord(before + ROOM, txn, before);
  const { process, member } = leader;
  process?.post(() => {
    const end = (outcome: 'done' | 'failed', reason: string): void => {
      restoration.outcome = outcome;
      restoration.reason = reason;
    };
    const restore = member?.server?.beginRestore();
    if (restore === undefined || member === null) {
      end('failed', 'nobody serves');
      return;
    }
    takeOver(restore, bytes, (one) => member.restore(one)).then(
      () => {
        end('done', '');
      },
      (problem: unknown) => {
        end('failed', problem instanceof Error ? problem.message : String(problem));
      },
    );
  });
  return restoration;
}

/** As the command does (server/commands/backup-commands.ts). */
async function takeOver(
  restore: Restore,
  bytes: Uint8Array,
  run: (restore: Restore) => Promise<void>,
): Promise<void> {
  try {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      await restore.write(bytes.subarray(at, at + PIECE_BYTES));
    }
    await restore.read();
    await run(restore);
  } finally {
    await restore.discard();
  }
}

function creation(path: string, zxid: Zxid, timeMs: number): Uint8Array {
  const writer = new Writer(256);
  const time = BigInt(Math.floor(timeMs));
  TxnHeader.write(writer, { clientId: 0n, cxid: 0, zxid, time, type: OpCode.create });
  // the parent's next version
  CreateTxn.write(writer, { path, data: null, acl, ephemeral: false, parentCVersion: -1 });
  return writer.take();
}
