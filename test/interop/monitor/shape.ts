/**
 * What remains of an answer when its figures are taken out: the lines of a word with their keys and
 * the kinds of their values, the keys and types of JSON. Two servers in the same state must have the
 * same shape.
 */

/** Line by line, in the order in which they came. */
export function shapeOfText(text: string): string[] {
  return text
    .split('\n')
    .map((line) => maskedLine(line.replaceAll('\t', ' ')))
    .filter((line, index, all) => line !== all[index - 1]);
}

function maskedLine(line: string): string {
  return line
    .replace(/Zookeeper version: .*/, 'Zookeeper version: V')
    .replace(/^(zk_version) .*/, '$1 V')
    .replace(/^([a-z]+(?:\.[a-z]+)+)=.*/, '$1=V')
    .replace(/\w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}/, 'TIME')
    .replace(/\/\S*\/version-2/, 'DIR')
    .replace(/127\.0\.0\.1:\d+/g, 'ADDRESS')
    .replace(/0x-?[0-9a-f]+/g, 'HEX')
    .replace(/^[0-9a-f]{9}: -?\d+$/, 'DIGEST')
    .replace(/(?<![\w-])-?\d+\.\d+(?:E-?\d+)?/g, 'D')
    .replace(/(?<![\w-])-?\d+(?![\w-])/g, 'N');
}

/** `key type` of each line, without the lines' order. */
export function keysOf(text: string): string[] {
  return shapeOfText(text).sort();
}

/** Each path through the value, with the type at its end. Of a list the members' shapes, once. */
export function shapeOfJson(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) {
    if (value.length === 0) return [`${path}[]`];
    return unique(value.flatMap((member) => shapeOfJson(member, `${path}[]`)));
  }
  if (value === null || typeof value !== 'object') {
    return [`${path}: ${value === null ? 'null' : typeof value}`];
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return [`${path}{}`];
  return unique(entries.flatMap(([key, inner]) => shapeOfJson(inner, `${path}.${maskedKey(key)}`)));
}

/** Session ids and times are keys, too. */
function maskedKey(key: string): string {
  return /^\d{4,}$/.test(key) ? 'N' : key;
}

function unique(lines: readonly string[]): string[] {
  return [...new Set(lines)].sort();
}

/** Lines of one and not of the other: `- ` ours lacks it, `+ ` only ours has it. */
export function difference(theirs: readonly string[], ours: readonly string[]): string[] {
  const [has, hasNot] = [new Set(ours), new Set(theirs)];
  return [
    ...theirs.filter((line) => !has.has(line)).map((line) => `- ${line}`),
    ...ours.filter((line) => !hasNot.has(line)).map((line) => `+ ${line}`),
  ];
}
