/**
 * JSON as Apache's AdminServer writes it: indented by two, ` : ` behind names, lists on one line
 * unless they hold objects. Parsers do not care; golden files and people's diffs do. Values are
 * written in pieces and may be lazy, so that a list of a million paths is never one string.
 */
import { Double, formatDouble } from '../metric.js';
import { inPieces } from './text.js';

/** Names and values in order. A lazy one is read once, while it is written. */
export class JsonObject {
  readonly fields: Iterable<readonly [name: string, value: JsonValue]>;
  constructor(fields: Iterable<readonly [name: string, value: JsonValue]>) {
    this.fields = fields;
  }
}

export class JsonList {
  readonly items: Iterable<JsonValue>;
  constructor(items: Iterable<JsonValue>) {
    this.items = items;
  }
}

export type JsonValue = string | number | bigint | boolean | null | Double | JsonObject | JsonList;

export function writeJson(value: JsonValue): Iterable<string> {
  return inPieces(write(value, ''));
}

function* write(value: JsonValue, indent: string): Generator<string> {
  if (value instanceof JsonObject) yield* writeObject(value, indent);
  else if (value instanceof JsonList) yield* writeList(value, indent);
  else if (value instanceof Double) yield formatDouble(value);
  else if (typeof value === 'string') yield quote(value);
  else yield String(value);
}

function* writeObject({ fields }: JsonObject, indent: string): Generator<string> {
  const inner = `${indent}  `;
  let isEmpty = true;
  for (const [name, value] of fields) {
    yield `${isEmpty ? '{' : ','}\n${inner}${quote(name)} : `;
    isEmpty = false;
    yield* write(value, inner);
  }
  yield isEmpty ? '{ }' : `\n${indent}}`;
}

function* writeList({ items }: JsonList, indent: string): Generator<string> {
  let isEmpty = true;
  for (const item of items) {
    yield isEmpty ? '[ ' : ', ';
    isEmpty = false;
    yield* write(item, indent);
  }
  yield isEmpty ? '[ ]' : ' ]';
}

function quote(text: string): string {
  return JSON.stringify(text);
}
