/** Who a command says that it is: `--auth digest:user:password`, or the variable ZABRA_AUTH. */
import { UsageError, type Arguments } from './arguments.js';
import type { Terminal } from './terminal.js';

export interface Credential {
  readonly scheme: string;
  /** What the scheme is shown, as a client would with addauth. */
  readonly shown: string;
}

/** Null: nothing is said. */
export function credentialOf(args: Arguments, env: Terminal['env']): Credential | null {
  const text = args.values.get('auth') ?? env['ZABRA_AUTH'];
  if (text === undefined || text === '') return null;
  const at = text.indexOf(':');
  const [scheme, shown] = [text.slice(0, at), text.slice(at + 1)];
  // never the text itself: it holds a password
  if (at <= 0 || !shown.includes(':') || /\s/.test(scheme)) {
    throw new UsageError('--auth is digest:USER:PASSWORD');
  }
  return { scheme, shown };
}
