/** A plan for people: one line a change, `+` what is new, `~` what is otherwise, `-` what goes, `!` what cannot be. */
import { aclEntryText } from '../acl-text.js';
import { dataJson, utf8Of } from '../data-text.js';
import type { Change, Plan } from './plan.js';

/** Data that is shown and not only counted. */
const shownCharsMax = 48;

export function planLines({ changes, conflicts }: Plan): string[] {
  return [
    ...changes.map(changeLine),
    ...conflicts.map(({ path, reason }) => `! ${path}  ${reason}`),
  ];
}

function changeLine(change: Change): string {
  switch (change.type) {
    case 'create':
      return `+ ${change.path}  ${shown(change.node.data)}`;
    case 'data':
      return `~ ${change.path}  ${shown(change.from)} -> ${shown(change.to)}`;
    case 'acl': {
      const [from, to] = [change.from, change.to].map((acl) => acl.map(aclEntryText).join(','));
      return `~ ${change.path}  acl ${from ?? ''} -> ${to ?? ''}`;
    }
    case 'delete':
      return `- ${change.path}`;
  }
}

function shown(data: Buffer): string {
  const text = utf8Of(data);
  if (text !== null && text.length <= shownCharsMax && !/\p{C}/u.test(text)) return `'${text}'`;
  return data.length === 1 ? '1 byte' : `${data.length} bytes`;
}

export function planJson({ changes, conflicts, same, extra }: Plan): Record<string, unknown> {
  return { changes: changes.map(changeJson), conflicts, same, extra };
}

function changeJson(change: Change): unknown {
  const { type, path } = change;
  switch (change.type) {
    case 'create':
      return { type, path, ...dataJson(change.node.data) };
    case 'data':
      return { type, path, from: dataJson(change.from), to: dataJson(change.to) };
    case 'acl':
      return { type, path, from: change.from.map(aclEntryText), to: change.to.map(aclEntryText) };
    case 'delete':
      return { type, path };
  }
}
