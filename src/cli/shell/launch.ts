/**
 * What the shell is started with: zkCli's options, with one dash, before the command; ours with two.
 * TLS is configured as for Apache's client, by a file of properties or by -D's in CLIENT_JVMFLAGS.
 */
import { javaProperties, UnknownArgumentError, UsageError } from '../arguments.js';

export type OutputForm = 'text' | 'json' | 'ndjson';

export interface Launch {
  readonly server: string;
  readonly timeoutMs: number;
  readonly isReadOnly: boolean;
  readonly waitsForConnection: boolean;
  readonly form: OutputForm;
  /** Of several commands, none after one that failed. */
  readonly failsFast: boolean;
  readonly asks: 'help' | 'version' | null;
  /** How the client is to be, by the names that Apache's has for it. */
  readonly configurationFile: string | null;
  readonly properties: ReadonlyMap<string, string>;
  /** The command and its arguments; empty: they are typed or piped. */
  readonly words: readonly string[];
}

const timeoutMsDefault = 30_000;

const valued = ['server', 'timeout', 'client-configuration'];
const plain = ['r', 'waitforconnection', 'json', 'ndjson', 'fail-fast', 'help', 'h', 'version'];

export function launchOf(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Launch {
  const values = new Map<string, string>();
  const flags = new Set<string>();
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (!word.startsWith('-')) break;
    const [, name = '', attached] = /^--?([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (plain.includes(name) && attached === undefined) {
      flags.add(name);
    } else if (valued.includes(name)) {
      const value = attached ?? argv[++at];
      if (value === undefined) throw new UsageError(`no argument found for option ${word}`);
      values.set(name, value);
    } else {
      throw new UnknownArgumentError(`Unknown option '${word}'`);
    }
  }
  const timeout = values.get('timeout') ?? String(timeoutMsDefault);
  if (!/^\d{1,9}$/.test(timeout) || Number(timeout) === 0) {
    throw new UsageError(`-timeout takes milliseconds, not '${timeout}'`);
  }
  return {
    server: values.get('server') ?? 'localhost:2181',
    timeoutMs: Number(timeout),
    isReadOnly: flags.has('r'),
    waitsForConnection: flags.has('waitforconnection'),
    form: flags.has('ndjson') ? 'ndjson' : flags.has('json') ? 'json' : 'text',
    failsFast: flags.has('fail-fast'),
    asks: flags.has('help') || flags.has('h') ? 'help' : flags.has('version') ? 'version' : null,
    configurationFile: values.get('client-configuration') ?? null,
    properties: new Map([
      ...javaProperties(env['CLIENT_JVMFLAGS']),
      ...javaProperties(env['JVMFLAGS']),
    ]),
    words: argv.slice(at),
  };
}
