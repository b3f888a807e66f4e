/**
 * Several operations in one request. The framing is the same both ways and for multiRead: each member
 * follows a header with its type, and a header that says "done" ends the list. A member is kept as
 * its type and its record, which makes the list a discriminated union.
 */
import { OpCode } from '../opcodes.js';
import { MalformedError, type Reader } from '../reader.js';
import type { Writer } from '../writer.js';
import { bool, int, record, type Codec, type TypeOf } from './codec.js';
import {
  CheckVersionRequest,
  CreateRequest,
  CreateTTLRequest,
  DeleteRequest,
  GetChildrenRequest,
  GetDataRequest,
  Nothing,
  SetDataRequest,
} from './requests.js';
import {
  Create2Response,
  CreateResponse,
  ErrorResponse,
  GetChildrenResponse,
  GetDataResponse,
  SetDataResponse,
} from './responses.js';

export const MultiHeader = record('MultiHeader', { type: int, done: bool, err: int });
export type MultiHeader = TypeOf<typeof MultiHeader>;

const requestOf = {
  [OpCode.create]: CreateRequest,
  [OpCode.create2]: CreateRequest,
  [OpCode.createContainer]: CreateRequest,
  [OpCode.createTTL]: CreateTTLRequest,
  [OpCode.delete]: DeleteRequest,
  [OpCode.setData]: SetDataRequest,
  [OpCode.check]: CheckVersionRequest,
  [OpCode.getData]: GetDataRequest,
  [OpCode.getChildren]: GetChildrenRequest,
} as const;

/** Containers and TTL znodes are answered as create2. */
const resultOf = {
  [OpCode.create]: CreateResponse,
  [OpCode.create2]: Create2Response,
  [OpCode.delete]: Nothing,
  [OpCode.setData]: SetDataResponse,
  [OpCode.check]: Nothing,
  [OpCode.getData]: GetDataResponse,
  [OpCode.getChildren]: GetChildrenResponse,
  [OpCode.error]: ErrorResponse,
} as const;

type Member<M, Key extends string> = {
  [T in keyof M]: { readonly type: T } & { readonly [K in Key]: TypeOf<M[T]> };
}[keyof M];

/** One operation of a multi (or, with getData and getChildren alone, of a multiRead). */
export type MultiOp = Member<typeof requestOf, 'request'>;

/** What became of one operation; type -1 is its failure. */
export type MultiResult = Member<typeof resultOf, 'result'>;

export interface MultiRequest {
  readonly ops: readonly MultiOp[];
}

export interface MultiResponse {
  readonly results: readonly MultiResult[];
}

export const MultiRequest: Codec<MultiRequest> = {
  name: 'MultiRequest',
  minBytes: MultiHeader.minBytes,
  read(reader) {
    const ops: MultiOp[] = [];
    for (;;) {
      const header = MultiHeader.read(reader);
      if (header.done) return { ops };
      const request = memberCodec(requestOf, header.type).read(reader);
      // memberCodec found the codec in the table that MultiOp is made from
      ops.push({ type: header.type, request } as MultiOp);
    }
  },
  write(writer, { ops }) {
    for (const op of ops) {
      MultiHeader.write(writer, { type: op.type, done: false, err: -1 });
      memberCodec(requestOf, op.type).write(writer, op.request);
    }
    writeDone(writer);
  },
};

export const MultiResponse: Codec<MultiResponse> = {
  name: 'MultiResponse',
  minBytes: MultiHeader.minBytes,
  read(reader: Reader) {
    const results: MultiResult[] = [];
    for (;;) {
      const header = MultiHeader.read(reader);
      if (header.done) return { results };
      const result = memberCodec(resultOf, header.type).read(reader);
      results.push({ type: header.type, result } as MultiResult);
    }
  },
  write(writer, { results }) {
    for (const one of results) {
      const err = one.type === OpCode.error ? one.result.err : 0;
      MultiHeader.write(writer, { type: one.type, done: false, err });
      memberCodec(resultOf, one.type).write(writer, one.result);
    }
    writeDone(writer);
  },
};

function memberCodec(
  table: Readonly<Record<number, Codec<unknown>>>,
  type: number,
): Codec<unknown> {
  const codec = table[type];
  if (codec === undefined) throw new MalformedError(`type ${type} inside a multi`);
  return codec;
}

function writeDone(writer: Writer): void {
  MultiHeader.write(writer, { type: -1, done: true, err: -1 });
}
