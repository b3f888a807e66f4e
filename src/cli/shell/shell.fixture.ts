/** Runs the shell in this process, as the command line would, and says what went where. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestServer } from '../../testing/test-server.js';
import { main } from '../main.js';
import type { Terminal } from '../terminal.js';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Given {
  /** What is piped in. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** As Ctrl-C would. */
  readonly stopped?: Promise<string>;
  /** Told each time something was printed. */
  onPrint?(all: string): void;
}

export async function zabra(argv: readonly string[], given: Given = {}): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'zabra-shell-'));
  const file = join(folder, 'input');
  writeFileSync(file, given.input ?? '');
  const inputFd = openSync(file, 'r');
  let [out, err] = ['', ''];
  const terminal: Terminal = {
    env: given.env ?? {},
    inputFd,
    print: (text) => {
      out += text;
      given.onPrint?.(out);
    },
    complain: (line) => {
      err += `${line}\n`;
    },
    startServer: () => Promise.reject(new Error('the shell starts no server')),
    untilStopped: () => given.stopped ?? new Promise(() => undefined),
    onCrash: () => undefined,
  };
  try {
    const code = await main(argv, terminal);
    return { code, out, err };
  } finally {
    closeSync(inputFd);
    rmSync(folder, { recursive: true });
  }
}

/** One command. */
export async function shell(
  server: TestServer,
  words: readonly string[],
  given: Given = {},
): Promise<Outcome> {
  return await zabra(['cli', '-server', server.connectString, ...words], given);
}

/** Several, one a line. */
export async function piped(server: TestServer, lines: readonly string[]): Promise<Outcome> {
  return await shell(server, [], { input: `${lines.join('\n')}\n` });
}
