/**
 * The overlay between the tree (what is applied) and the next request (which must be judged by what
 * will be applied): change records of every znode that a proposed, not yet applied transaction
 * touches, and the tree digest as it will be. Not a copy of anything: it is as small as the pipeline
 * is deep.
 *
 * A record is loaded from the tree when first looked at; it stays only if the transaction changes
 * it. `applied` is told of each transaction in order and lets go of the records that nothing later
 * touches. A multi that fails puts the records back as they were (ZOOKEEPER-1624: also the parents',
 * or sequence numbers go wrong).
 */
import { assert, present } from '../base/assert.js';
import { Ring } from '../base/ring.js';
import type { Tree } from '../tree/tree.js';
import { ChangeRecord, digestOf, hasDigest } from './change-record.js';
import { RecordTable } from './record-table.js';

/** Record touches outstanding at a time; a closeSession with very many ephemerals needs the room. */
const TOUCHES_MAX = 1 << 26;

/** Records kept for reuse: a few batches' worth. */
const POOLED_MAX = 8192;

interface JournalEntry {
  readonly record: ChangeRecord;
  /** Null: the record entered the overlay within this transaction. */
  readonly before: ChangeRecord | null;
}

export class Outstanding {
  readonly #tree: Tree;
  readonly #records = new RecordTable();
  readonly #touched = new Ring<ChangeRecord>(TOUCHES_MAX);
  /** Touches of each outstanding transaction, oldest first. */
  readonly #touchCounts = new Ring<number>(TOUCHES_MAX);
  readonly #free: ChangeRecord[] = [];
  /** Loaded by this transaction; those it does not change leave the map when it ends. */
  readonly #looked: ChangeRecord[] = [];
  #touchesNow = 0;
  #txnSerial = 0;
  #journal: JournalEntry[] | null = null;
  #journalDigest = { high: 0, low: 0 };
  digestHigh = 0;
  digestLow = 0;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  get txnCount(): number {
    return this.#touchCounts.size;
  }

  begin(): void {
    if (this.#touchCounts.size === 0) {
      assert(this.#records.size === 0, 'nothing outstanding means an empty overlay');
      this.digestHigh = this.#tree.digestHigh >>> 0;
      this.digestLow = this.#tree.digestLow >>> 0;
    }
    this.#txnSerial++;
    this.#touchesNow = 0;
  }

  /** The transaction begun last comes to nothing; it has changed nothing. */
  abandon(): void {
    assert(this.#touchesNow === 0, 'an abandoned transaction has changed nothing');
    this.#dropUnchanged();
  }

  /** Ends the transaction begun last: it is proposed. */
  end(): void {
    this.#touchCounts.push(this.#touchesNow);
    this.#dropUnchanged();
  }

  /** The znode as it will be, or null when it will not exist. Look, do not change. */
  look(path: string): ChangeRecord | null {
    const known = this.#records.get(path);
    if (known !== null) return known.exists ? known : null;
    const node = this.#tree.findPath(path);
    if (node === 0) return null;
    const record = this.#take(path);
    this.#tree.persistedStatInto(node, record.stat, 0);
    record.exists = true;
    record.numChildren = this.#tree.numChildren(node);
    record.acl = this.#tree.acls.get(this.#tree.aclId(node));
    record.dataLength = this.#tree.dataLength(node);
    record.crcAfterData = this.#tree.crcAfterData(node);
    record.digest = hasDigest(path) ? digestOf(record.crcAfterData, record.stat) : 0;
    this.#records.add(record);
    this.#looked.push(record);
    return record;
  }

  /** Says that this transaction is about to change the record (one that `look` or `add` gave). */
  change(record: ChangeRecord): void {
    const isNew = record.touches === 0;
    if (this.#journal !== null && record.journaledBy !== this.#txnSerial) {
      record.journaledBy = this.#txnSerial;
      this.#journal.push({ record, before: isNew ? null : this.#copyOf(record) });
    }
    record.touches++;
    this.#touchesNow++;
    this.#touched.push(record);
  }

  /** A record for a znode that does not exist yet, entered as changed; the caller fills it. */
  add(path: string): ChangeRecord {
    const gone = this.#records.get(path);
    if (gone !== null) {
      assert(!gone.exists, 'only a znode that does not exist is added');
      this.change(gone);
      gone.stat.fill(0);
      gone.digest = 0;
      return gone;
    }
    const record = this.#take(path);
    this.#records.add(record);
    this.change(record);
    return record;
  }

  /** Recomputes the record's digest and moves the tree's by the difference. */
  settle(record: ChangeRecord): void {
    const before = record.digest;
    record.digest =
      record.exists && hasDigest(record.path) ? digestOf(record.crcAfterData, record.stat) : 0;
    this.#moveDigest(record.digest, before);
  }

  /** From here on, `rollback` can undo what the current transaction changes. */
  startJournal(): void {
    this.#journal = [];
    this.#journalDigest = { high: this.digestHigh, low: this.digestLow };
  }

  rollback(): void {
    for (const { record, before } of present(this.#journal, 'a rollback needs a journal')) {
      if (before === null) {
        this.#records.remove(record);
        record.exists = false;
      } else {
        record.copyFrom(before);
      }
    }
    this.digestHigh = this.#journalDigest.high;
    this.digestLow = this.#journalDigest.low;
    this.#journal = null;
  }

  dropJournal(): void {
    this.#journal = null;
  }

  /** The oldest outstanding transaction has been applied to the tree. */
  applied(): void {
    const count = present(this.#touchCounts.shift(), 'only what is outstanding can be applied');
    for (let i = 0; i < count; i++) {
      const record = present(this.#touched.shift(), 'every touch is queued');
      if (--record.touches > 0) continue;
      this.#records.remove(record);
      this.#release(record);
    }
  }

  /** Every record in the overlay, in no order: what closing a session must look through. */
  forEachRecord(visit: (record: ChangeRecord) => void): void {
    this.#records.forEach(visit);
  }

  #dropUnchanged(): void {
    for (const record of this.#looked) {
      if (record.touches > 0) continue;
      this.#records.remove(record);
      this.#release(record);
    }
    this.#looked.length = 0;
  }

  #release(record: ChangeRecord): void {
    if (this.#free.length >= POOLED_MAX) return;
    record.path = '';
    this.#free.push(record);
  }

  #take(path: string): ChangeRecord {
    const record = this.#free.pop() ?? new ChangeRecord();
    record.path = path;
    record.exists = false;
    record.stat.fill(0);
    record.numChildren = 0;
    record.digest = 0;
    record.dataLength = 0;
    record.touches = 0;
    record.journaledBy = 0;
    return record;
  }

  #copyOf(record: ChangeRecord): ChangeRecord {
    const copy = new ChangeRecord();
    copy.copyFrom(record);
    return copy;
  }

  #moveDigest(plus: number, minus: number): void {
    const low = this.digestLow + plus - minus;
    // plus and minus are below 2^32, so low is within (-2^32, 2^33): one carry or one borrow
    this.digestHigh = (this.digestHigh + Math.floor(low / 0x1_0000_0000)) >>> 0;
    this.digestLow = low >>> 0;
  }
}
