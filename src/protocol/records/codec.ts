/**
 * Records are written down once, as tables: a name and its fields in wire order. Reader, writer,
 * TypeScript type and the least size of a record all follow from the table, so they cannot disagree.
 *
 * This is the comfortable form, with objects, strings and bigints, for clients, peers, tools and
 * tests. The server's hot paths read the same bytes with a Reader and leave them where they lie.
 */
import { MalformedError, type Reader } from '../reader.js';
import type { Writer } from '../writer.js';

export interface Codec<T> {
  readonly name: string;
  /** No encoding is shorter: what bounds a vector's count before its items are read. */
  readonly minBytes: number;
  /** Throws MalformedError; bytes after the record are left to the caller. */
  read(reader: Reader): T;
  write(writer: Writer, value: T): void;
}

/** The values that a codec reads and writes. */
export type TypeOf<C> = C extends Codec<infer T> ? T : never;

export const int: Codec<number> = {
  name: 'int',
  minBytes: 4,
  read: (reader) => reader.readInt(),
  write: (writer, value) => writer.writeInt(value),
};

/** Signed 64 bits. */
export const long: Codec<bigint> = {
  name: 'long',
  minBytes: 8,
  read: (reader) => reader.readLong(),
  write: (writer, value) => writer.writeLong(value),
};

export const bool: Codec<boolean> = {
  name: 'boolean',
  minBytes: 1,
  read: (reader) => reader.readBool(),
  write: (writer, value) => writer.writeBool(value),
};

/** Bytes; what is read is a copy. */
export const buffer: Codec<Uint8Array | null> = {
  name: 'buffer',
  minBytes: 4,
  read: (reader) => reader.readBuffer(),
  write: (writer, value) => writer.writeBuffer(value),
};

export const ustring: Codec<string | null> = {
  name: 'ustring',
  minBytes: 4,
  read: (reader) => reader.readString(),
  write: (writer, value) => writer.writeString(value),
};

/**
 * A last field that older peers do not know. Null: it is not there, and is not written. Only for the
 * end of a packet, where "nothing remains" says so.
 */
export const trailingBool: Codec<boolean | null> = {
  name: 'trailing boolean',
  minBytes: 0,
  read: (reader) => (reader.remaining > 0 ? reader.readBool() : null),
  write: (writer, value) => {
    if (value !== null) writer.writeBool(value);
  },
};

export interface VectorCodec<T> extends Codec<readonly T[] | null> {
  readonly item: Codec<T>;
}

export function vector<T>(item: Codec<T>): VectorCodec<T> {
  return {
    item,
    name: `vector of ${item.name}`,
    minBytes: 4,
    read(reader) {
      const count = reader.readCount(item.minBytes);
      if (count < 0) return null;
      const items: T[] = [];
      for (let i = 0; i < count; i++) items.push(item.read(reader));
      return items;
    },
    write(writer, items) {
      if (items === null) {
        writer.writeInt(-1);
        return;
      }
      writer.writeInt(items.length);
      for (const one of items) item.write(writer, one);
    },
  };
}

export type Fields = Readonly<Record<string, Codec<unknown>>>;
export type ValueOf<F extends Fields> = { readonly [K in keyof F]: TypeOf<F[K]> };

/** The table itself stays readable: for tools that show records, and tests that make them up. */
export interface RecordCodec<F extends Fields> extends Codec<ValueOf<F>> {
  readonly fields: F;
}

/** A record of these fields, in this order. */
export function record<F extends Fields>(name: string, fields: F): RecordCodec<F> {
  const columns = Object.entries(fields).map(([key, codec]) => ({ key, codec }));
  const minBytes = columns.reduce((sum, { codec }) => sum + codec.minBytes, 0);
  return {
    name,
    fields,
    minBytes,
    read(reader) {
      const value: Record<string, unknown> = {};
      for (const column of columns) value[column.key] = column.codec.read(reader);
      // the loop has filled in exactly the keys of F, each with what its codec reads
      return value as ValueOf<F>;
    },
    write(writer, value) {
      for (const column of columns) column.codec.write(writer, value[column.key]);
    },
  };
}

/** For tests and one-off packets: a record that must fill its bytes to the end. */
export function readWhole<T>(codec: Codec<T>, reader: Reader): T {
  const value = codec.read(reader);
  if (reader.remaining > 0) {
    throw new MalformedError(`${reader.remaining} bytes after ${codec.name}`);
  }
  return value;
}
