/**
 * What Apache ZooKeeper writes, read and written again here. The files were captured from its own
 * jars by test/support/golden-java/capture.sh; nothing of it is needed to run this.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CreateMode, isContainer, isEphemeral, isSequential, isTtl } from './create-mode.js';
import { ErrorCode, errorName, errorShortText } from './errors.js';
import { AddWatchMode, EventType, KeeperState, WatcherType } from './events.js';
import { OpCode } from './opcodes.js';
import { isPlainPath, validatePath } from './paths.js';
import { Perms } from './perms.js';
import { Reader } from './reader.js';
import * as records from './records.js';
import { TxnBatch } from './txn-batch.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';
import { Writer } from './writer.js';

const releases = ['3.9.5', '3.8.0'] as const;

const textOf = (name: string): string =>
  readFileSync(new URL(`../../test/golden/${name}`, import.meta.url), 'utf8');

const linesOf = <T>(name: string): T[] =>
  textOf(name)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** As the captured files show values: longs as text, buffers as {hex}, an absent field left out. */
function shown(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return { hex: hexOf(value) };
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shown(inner)]));
}

interface Line {
  readonly record: string;
  readonly variant: string;
  readonly fields: Record<string, unknown>;
  readonly hex: string;
}

function codecNamed(name: string): records.Codec<unknown> {
  const codec = (records as Readonly<Record<string, unknown>>)[name];
  assert(typeof codec === 'object' && codec !== null, `no record ${name}`);
  return codec as records.Codec<unknown>;
}

function checkRecord({ record, variant, fields, hex }: Line): void {
  const what = `${record} ${variant}`;
  const codec = codecNamed(record);
  const value = records.readWhole(codec, new Reader(bytesOf(hex)));
  // before 3.9 the connect records ended before readOnly
  const isOld = record.startsWith('Connect') && !('readOnly' in fields);
  assert.deepEqual(shown(value), isOld ? { ...fields, readOnly: null } : fields, what);
  const writer = new Writer(1);
  codec.write(writer, value);
  assert.equal(hexOf(writer.take()), hex, what);
}

/** A record of the log: its payload decoded, its whole written again through a batch. */
function checkLogRecord({ variant, fields, hex }: Line): void {
  const bytes = bytesOf(hex);
  const { header, body, digest } = records.readTxnPayload(new Reader(bytes, 12, bytes.length - 1));
  assert.deepEqual(shown(header), fields['header'], variant);
  assert.deepEqual(shown(digest), fields['digest'], variant);
  const isV0 = variant === 'V0';
  const expected = isV0 ? { ...(fields['txn'] as object), parentCVersion: -1 } : fields['txn'];
  assert.deepEqual(shown(body.txn), expected, variant);

  const batch = new TxnBatch();
  const writer = batch.begin();
  records.TxnHeader.write(writer, header);
  const codec = isV0 ? records.CreateTxnV0 : records.txnCodecOf(header.type);
  if (body.txn !== null) (codec as records.Codec<unknown>).write(writer, body.txn);
  if (digest !== null) records.TxnDigest.write(writer, digest);
  batch.finish();
  assert.equal(hexOf(batch.bytes.subarray(0, batch.length)), hex, variant);
}

for (const release of releases) {
  test(`every record that ${release} writes is read, and written to the same bytes`, () => {
    const lines = linesOf<Line>(`records-${release}.jsonl`);
    for (const line of lines) {
      if (line.record === 'LogRecord') checkLogRecord(line);
      else checkRecord(line);
    }
  });

  test(`the numbers of ${release} are ours`, () => {
    checkConstants(JSON.parse(textOf(`constants-${release}.json`)) as Constants, release);
  });
}

test('no record of ours lacks golden bytes', () => {
  const captured = new Set(linesOf<Line>('records-3.9.5.jsonl').map((line) => line.record));
  const ours = Object.values(records as Readonly<Record<string, unknown>>)
    .filter((one): one is records.Codec<unknown> => typeof one === 'object' && one !== null)
    .map((codec) => codec.name);
  const without = ours.filter((name) => !captured.has(name));
  assert.deepEqual(without, ['vector of ACL', 'Nothing']);
});

interface Constants {
  readonly opCodes: Record<string, number>;
  readonly perms: Record<string, number>;
  readonly addWatchModes: Record<string, number>;
  readonly errors: readonly { code: number; name: string; message: string | null }[];
  readonly createModes: Record<string, Record<string, unknown>>;
  readonly eventTypes: Record<string, number>;
  readonly keeperStates: Record<string, number>;
  readonly watcherTypes: Record<string, number>;
}

/** Names compared without case and underscores: theirs are spelled in three ways. */
const folded = (table: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(table).map(([name, value]) => [name.replaceAll('_', '').toLowerCase(), value]),
  );

function checkConstants(theirs: Constants, release: string): void {
  assert.deepEqual(OpCode, theirs.opCodes);
  assert.deepEqual(AddWatchMode, theirs.addWatchModes);
  assert.deepEqual(folded(Perms), folded(theirs.perms));
  assert.deepEqual(folded(EventType), folded(theirs.eventTypes));
  assert.deepEqual(folded(KeeperState), folded(theirs.keeperStates));
  const { persistent, persistentRecursive, ...first } = WatcherType;
  const since39 = release === '3.8.0' ? {} : { persistent, persistentRecursive };
  assert.deepEqual(folded({ ...first, ...since39 }), folded(theirs.watcherTypes));
  const modes = Object.values(theirs.createModes);
  for (const mode of modes) {
    const flags = mode['flags'] as number;
    assert.equal(isEphemeral(flags), mode['ephemeral']);
    assert.equal(isSequential(flags), mode['sequential']);
    assert.equal(isContainer(flags), mode['container']);
    assert.equal(isTtl(flags), mode['ttl']);
  }
  const theirFlags = Object.entries(theirs.createModes).map(([name, mode]) => [
    name,
    mode['flags'] as number,
  ]);
  assert.deepEqual(
    folded(CreateMode),
    folded(Object.fromEntries(theirFlags) as Record<string, number>),
  );
  for (const { code, name, message } of theirs.errors) {
    assert.equal(errorName(code), name);
    if (message !== null) assert.equal(`KeeperErrorCode = ${errorShortText(code)}`, message);
  }
  assert.equal(Object.keys(ErrorCode).length, theirs.errors.length);
}

interface StringLine {
  readonly kind: 'read' | 'written';
  readonly text: string;
  readonly hex: string;
}

test('bytes become the same string as in Apache, whatever they are', () => {
  for (const { kind, text, hex } of linesOf<StringLine>('strings-3.9.5.jsonl')) {
    if (kind !== 'read') continue;
    assert.equal(new Reader(bytesOf(hex)).readString(), text, hex);
  }
});

test('strings become the same bytes as in Apache, save for surrogates', () => {
  for (const { kind, text, hex } of linesOf<StringLine>('strings-3.9.5.jsonl')) {
    if (kind !== 'written') continue;
    const writer = new Writer();
    writer.writeString(text);
    if (/[\ud800-\udfff]/.test(text)) {
      // Apache writes each half of a pair on its own, which is not UTF-8 and which it cannot read
      assert.notEqual(hexOf(writer.take()), hex);
      assert.notEqual(new Reader(bytesOf(hex)).readString(), text);
    } else {
      assert.equal(hexOf(writer.take()), hex);
    }
  }
});

interface PathLine {
  readonly path: string;
  readonly sequential: boolean;
  readonly reason: string | null;
}

test('a path is valid, or not and for the same reason, as in Apache', () => {
  for (const { path, sequential, reason } of linesOf<PathLine>('paths-3.9.5.jsonl')) {
    assert.equal(validatePath(path, sequential), reason, JSON.stringify(path));
    const bytes = encodeUtf8(path);
    // a lone surrogate has no bytes of its own
    if (decodeUtf8(bytes, 0, bytes.length) !== path) continue;
    if (isPlainPath(bytes, 0, bytes.length)) assert.equal(reason, null, JSON.stringify(path));
  }
});
