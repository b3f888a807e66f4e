/** What a read would be told in the model's present state, and the watches that come of it. */
import { ErrorCode } from '../protocol/errors.js';
import { OpCode } from '../protocol/opcodes.js';
import { Perms } from '../protocol/perms.js';
import type { MultiOp, MultiResult } from '../protocol/records.js';
import type { AuthId } from './history.js';
import { redacted } from './model-acl.js';
import { statOf } from './model-node.js';
import type { Model } from './model.js';
import type { ModelWatches } from './model-watches.js';
import type { RequestBody } from './requests.js';

export interface ReadOutcome {
  readonly error: number;
  readonly value: unknown;
}

export interface Reader {
  readonly session: bigint;
  readonly caller: readonly AuthId[];
  readonly watches: ModelWatches;
}

const REFUSED: ReadOutcome = { error: ErrorCode.unimplemented, value: null };

export function readModel(model: Model, body: RequestBody, reader: Reader): ReadOutcome {
  const { watches, caller } = reader;
  switch (body.op) {
    case OpCode.getData:
      return getData(model, body.value.path ?? '', body.value.watch, reader);
    case OpCode.exists:
      return exists(model, body.value.path ?? '', body.value.watch, reader);
    case OpCode.getChildren:
    case OpCode.getChildren2: {
      const withStat = body.op === OpCode.getChildren2;
      return getChildren(model, body.value.path ?? '', body.value.watch, withStat, reader);
    }
    case OpCode.getACL: {
      const node = model.find(body.value.path ?? '');
      if (node === undefined) return failed(ErrorCode.noNode);
      if (!model.mayDo(node.acl, Perms.read | Perms.admin, caller)) return failed(ErrorCode.noAuth);
      const acl = model.options.skipAcl ? node.acl : redacted(node.acl, caller);
      return done({ acl, stat: statOf(node, model.options.extendedTypes) });
    }
    case OpCode.sync:
      return done({ path: body.value.path });
    case OpCode.multiRead:
      return done({ results: body.value.ops.map((op) => part(model, op, reader)) });
    case OpCode.addWatch:
      watches.add(body.value.path ?? '', body.value.mode);
      return done({ err: 0 });
    case OpCode.checkWatches:
      return watches.holds(body.value.path ?? '', body.value.type)
        ? done({})
        : failed(ErrorCode.noWatcher);
    case OpCode.removeWatches:
      return watches.remove(body.value.path ?? '', body.value.type)
        ? done({})
        : failed(ErrorCode.noWatcher);
    case OpCode.getEphemerals: {
      const prefix = body.value.prefixPath ?? '';
      const mine = model.ephemeralsOf(reader.session).filter((path) => path.startsWith(prefix));
      return done({ ephemerals: mine.sort() });
    }
    case OpCode.getAllChildrenNumber: {
      const node = model.find(body.value.path ?? '');
      if (node === undefined) return failed(ErrorCode.noNode);
      if (!model.mayDo(node.acl, Perms.read, caller)) return failed(ErrorCode.noAuth);
      // Apache looks for names that begin with the path and a slash: below "" that is the root too
      if (body.value.path === '') return done({ totalNumber: model.nodes.size });
      const below = node.path === '/' ? '/' : `${node.path}/`;
      const paths = [...model.nodes.keys()].filter(
        (path) => path !== '/' && path.startsWith(below),
      );
      return done({ totalNumber: paths.length });
    }
    case OpCode.whoAmI:
      return done({
        clientInfo: caller.map(({ scheme, id }) => {
          return { authScheme: scheme, user: scheme === 'digest' ? (id.split(':')[0] ?? '') : id };
        }),
      });
    default:
      return REFUSED;
  }
}

function getData(model: Model, path: string, watch: boolean, reader: Reader): ReadOutcome {
  const node = model.find(path);
  if (node === undefined) return failed(ErrorCode.noNode);
  if (!model.mayDo(node.acl, Perms.read, reader.caller)) return failed(ErrorCode.noAuth);
  if (watch) reader.watches.watchData(path);
  return done({ data: node.data, stat: statOf(node, model.options.extendedTypes) });
}

function exists(model: Model, path: string, watch: boolean, reader: Reader): ReadOutcome {
  const node = model.find(path);
  if (node !== undefined && !model.mayDo(node.acl, Perms.read, reader.caller)) {
    return failed(ErrorCode.noAuth);
  }
  if (watch) reader.watches.watchData(path);
  if (node === undefined) return failed(ErrorCode.noNode);
  return done({ stat: statOf(node, model.options.extendedTypes) });
}

function getChildren(
  model: Model,
  path: string,
  watch: boolean,
  withStat: boolean,
  reader: Reader,
): ReadOutcome {
  const node = model.find(path);
  if (node === undefined) return failed(ErrorCode.noNode);
  if (!model.mayDo(node.acl, Perms.read, reader.caller)) return failed(ErrorCode.noAuth);
  if (watch) reader.watches.watchChildren(path);
  const children = model.childNames(node).sort();
  const stat = statOf(node, model.options.extendedTypes);
  return done(withStat ? { children, stat } : { children });
}

/** The parts of a multiRead set no watches, even where they ask for them: Apache's drop the flag. */
function part(model: Model, op: MultiOp, reader: Reader): MultiResult {
  const read = (): ReadOutcome => {
    if (op.type === OpCode.getData) return getData(model, op.request.path ?? '', false, reader);
    if (op.type === OpCode.getChildren) {
      return getChildren(model, op.request.path ?? '', false, false, reader);
    }
    return REFUSED;
  };
  const { error, value } = read();
  if (error !== ErrorCode.ok) return { type: OpCode.error, result: { err: error } };
  return { type: op.type, result: value } as MultiResult;
}

function failed(error: number): ReadOutcome {
  return { error, value: null };
}

function done(value: unknown): ReadOutcome {
  return { error: ErrorCode.ok, value };
}
