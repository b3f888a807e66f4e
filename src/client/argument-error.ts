/**
 * A call that cannot be meant as it was written. It is refused before anything is sent, and says
 * which argument it is, where in it the fault lies, and what was expected: a path with a mistake in
 * its middle is found by looking at the message alone.
 */
export class ArgumentError extends TypeError {
  override readonly name = 'ArgumentError';
  /** Which argument: `path`, `acl`, `connectString` … */
  readonly what: string;
  /** The part of it at fault, or all of it, as it was given (shortened when it is long). */
  readonly where: string;
  /** Index of the fault in a string or a list; 0 where it has no parts. */
  readonly position: number;
  /** What was expected, or is wrong. */
  readonly reason: string;

  constructor(what: string, where: string, position: number, reason: string) {
    super(`${what}: ${reason}${where === '' ? '' : ` in ${shown(where)}`} at ${position}`);
    this.what = what;
    this.where = where.length <= SHOWN_MAX ? where : `${where.slice(0, SHOWN_MAX)}…`;
    this.position = position;
    this.reason = reason;
  }
}

const SHOWN_MAX = 200;

/** In quotes, with control characters escaped, so that it stays one line. */
function shown(text: string): string {
  return JSON.stringify(text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`);
}

/** How to name a value of the wrong kind: its type and, where that is short, the value. */
export function describeValue(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return `the string ${shown(value)}`;
  if (typeof value === 'bigint') return `the bigint ${value}n`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : typeof value;
}
