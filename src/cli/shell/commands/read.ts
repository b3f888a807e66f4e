/** Commands that look at znodes: get, ls, stat, getAcl and what counts them. */
import { noNode, pathArgument } from './arguments.js';
import { aclEntryText, aclLines } from '../acl-text.js';
import { done, type Answer, type Call } from '../command.js';
import { dataJson, hexDump } from '../data-text.js';
import { hex, statJson, statText } from '../stat-text.js';
import { walk } from '../subtree.js';
import type { Stat, Watcher } from '../../../client/types.js';

export async function get(call: Call): Promise<Answer> {
  const path = pathArgument(call);
  const { data, stat } = await call.client.getData(path, {
    ...watching(call),
    signal: call.signal,
  });
  const text = call.flags.has('x')
    ? hexDump(data)
    : call.flags.has('b')
      ? data.toString('base64')
      : data.toString('utf8');
  return {
    text: await withStat(call, text, stat),
    json: { path, ...dataJson(data), stat: statJson(stat) },
  };
}

export async function stat(call: Call): Promise<Answer> {
  const path = pathArgument(call);
  const found = await call.client.exists(path, { ...watching(call), signal: call.signal });
  if (found === null) throw noNode(path);
  return { text: await statText(found), json: { path, stat: statJson(found) } };
}

export async function ls(call: Call): Promise<Answer> {
  const path = pathArgument(call);
  if (call.flags.has('R')) return await lsBelow(call, path);
  const options = { ...watching(call), signal: call.signal };
  const { children, stat: found } = await call.client.getChildren(path, options);
  children.sort();
  return {
    text: await withStat(call, `[${children.join(', ')}]`, found),
    json: { path, children, stat: statJson(found) },
  };
}

/** Children follow their parent together, before what is below them. */
async function lsBelow(call: Call, root: string): Promise<Answer> {
  const { client, signal } = call;
  const options = { ...watching(call), signal };
  if (options.watch !== undefined) await client.getData(root, options);
  const prefixOf = (path: string): string => (path === '/' ? '/' : `${path}/`);
  await walk(
    root,
    (path) => client.getChildren(path, options),
    (path, { children }, depth) => {
      if (depth === 0) call.item(path, path);
      for (const name of [...children].sort()) {
        call.item(`${prefixOf(path)}${name}`, `${prefixOf(path)}${name}`);
      }
    },
    { signal },
  );
  return { text: null };
}

export async function getAcl(call: Call): Promise<Answer> {
  const path = pathArgument(call);
  const { acl, stat: found } = await call.client.getACL(path, { signal: call.signal });
  return {
    text: await withStat(call, aclLines(acl), found),
    json: { path, acl: acl.map(aclEntryText), stat: statJson(found) },
  };
}

export async function getAllChildrenNumber(call: Call): Promise<Answer> {
  const path = pathArgument(call);
  const number = await call.client.getAllChildrenNumber(path, { signal: call.signal });
  return { text: String(number), json: { path, number } };
}

export async function getEphemerals(call: Call): Promise<Answer> {
  const prefix = call.args[0] === undefined ? '/' : pathArgument(call);
  const ephemerals = await call.client.getEphemerals(prefix, { signal: call.signal });
  return {
    text: `[${ephemerals.join(', ')}]`,
    json: { session: hex(call.client.sessionId), ephemerals },
  };
}

export async function sync(call: Call): Promise<Answer> {
  await call.client.sync(pathArgument(call), { signal: call.signal });
  return { ...done, text: 'Sync is OK' };
}

/** The old form has any word behind the path. */
function watching(call: Call): { watch?: Watcher } {
  const isOldForm = call.args.length > 1;
  if (isOldForm) {
    call.tell('A word behind the path means -w, and is deprecated: put -w before the path.');
  }
  return call.flags.has('w') || isOldForm ? { watch: call.watched } : {};
}

async function withStat(call: Call, text: string, found: Stat): Promise<string> {
  return call.flags.has('s') ? `${text}\n${await statText(found)}` : text;
}
