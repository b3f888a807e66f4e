/**
 * zoo.cfg is a Java properties file, with all of that format's corners: `=`, `:` or white space
 * between key and value, `#` and `!` comments, lines continued by a backslash, `\uXXXX` escapes.
 * Operators' files use them (Windows paths with doubled backslashes, continued server lists), so the
 * format is read whole, and each entry remembers its line, because every complaint about a
 * configuration names one.
 */
export interface PropertyEntry {
  readonly key: string;
  /** As written, white space at its end included; who gives it a meaning trims it. */
  readonly value: string;
  /** Where the entry begins, from 1. */
  readonly line: number;
}

export interface PropertyProblem {
  readonly line: number;
  readonly message: string;
}

interface LogicalLine {
  readonly text: string;
  readonly line: number;
}

/** Entries in the order of the file, repeated keys included. A malformed escape loses its entry. */
export function parseProperties(text: string): {
  readonly entries: readonly PropertyEntry[];
  readonly problems: readonly PropertyProblem[];
} {
  const entries: PropertyEntry[] = [];
  const problems: PropertyProblem[] = [];
  for (const { text: content, line } of logicalLines(text)) {
    const keyEnd = endOfKey(content);
    const key = unescape(content.slice(0, keyEnd));
    const value = unescape(content.slice(startOfValue(content, keyEnd)));
    if (key === null || value === null) {
      problems.push({ line, message: '\\u must be followed by four hexadecimal digits' });
    } else {
      entries.push({ key, value, line });
    }
  }
  return { entries, problems };
}

/** Natural lines without comments and blank ones, continued lines joined. */
function* logicalLines(text: string): Generator<LogicalLine> {
  let joined: string | null = null;
  let startLine = 0;
  const lines = text.split(/\r\n|\n|\r/);
  for (const [index, natural] of lines.entries()) {
    const content = natural.replace(/^[ \t\f]+/, '');
    if (joined === null) {
      if (content === '' || content.startsWith('#') || content.startsWith('!')) continue;
      startLine = index + 1;
    }
    const continues = endsWithOddBackslashes(content);
    joined = (joined ?? '') + (continues ? content.slice(0, -1) : content);
    if (continues && index < lines.length - 1) continue;
    if (joined !== '') yield { text: joined, line: startLine };
    joined = null;
  }
}

function endsWithOddBackslashes(line: string): boolean {
  let count = 0;
  while (count < line.length && line[line.length - 1 - count] === '\\') count++;
  return count % 2 === 1;
}

function endOfKey(line: string): number {
  for (let i = 0; i < line.length; i++) {
    const c = line.charAt(i);
    if (c === '\\') i++;
    else if (c === '=' || c === ':' || isBlank(c)) return i;
  }
  return line.length;
}

/** After the separator: white space, at most one `=` or `:`, white space. */
function startOfValue(line: string, keyEnd: number): number {
  let i = keyEnd;
  while (i < line.length && isBlank(line.charAt(i))) i++;
  if (line.charAt(i) === '=' || line.charAt(i) === ':') i++;
  while (i < line.length && isBlank(line.charAt(i))) i++;
  return i;
}

function isBlank(c: string): boolean {
  return c === ' ' || c === '\t' || c === '\f';
}

/** Null: a `\u` that is not followed by four digits. */
function unescape(text: string): string | null {
  if (!text.includes('\\')) return text;
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c !== '\\') {
      out += c;
      continue;
    }
    i++;
    const escaped = text.charAt(i);
    if (escaped === 'u') {
      const digits = text.slice(i + 1, i + 5);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) return null;
      out += String.fromCharCode(parseInt(digits, 16));
      i += 4;
    } else {
      out += controlEscapes[escaped] ?? escaped;
    }
  }
  return out;
}

const controlEscapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };
