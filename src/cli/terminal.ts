/**
 * What a command has of its surroundings: the environment, the two streams, the signals, and the
 * server that it may start. One place knows the real ones, so commands can be run by tests.
 */
import { readSync } from 'node:fs';
import type { Logger } from '../ports/logger.js';
import type { ServerConfig } from '../server/config/config.js';

export interface RunningServer {
  readonly host: string;
  readonly clientPort: number;
  stop(): Promise<void>;
}

export type StartServer = (
  config: ServerConfig,
  options: { readonly logger: Logger },
) => Promise<RunningServer>;

export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Results, and nothing else. */
  print(text: string): void;
  /** What went wrong, one line. */
  complain(line: string): void;
  /** Wide as this where a person looks on; absent: a pipe or a file. */
  readonly columns?: number | undefined;
  /** Where answers to questions are read from. */
  readonly inputFd: number;
  readonly startServer: StartServer;
  /** Resolves with the first signal that asks the process to end; a later one ends it at once. */
  untilStopped(): Promise<string>;
  /** From now on an error that nobody caught is told and ends the process. */
  onCrash(tell: (error: Error) => void): void;
}

/** Apache's, as far as there is one. */
export const exitCodes = {
  finished: 0,
  unexpected: 1,
  /** Wrong arguments or configuration. */
  invalidInvocation: 2,
  /** A bug: nothing that happens outside ends like this. */
  crashed: 70,
} as const;

const interrupted = 130;

/** One Ctrl-C comes twice under npm: from the terminal, and passed on by npm. */
const sameSignalMs = 500;

const printedCharsMax = 65_536;

/** Gathers what is printed piece by piece into larger writes. */
export function linePrinter(terminal: Terminal): { print(text: string): void; flush(): void } {
  let waiting = '';
  const flush = (): void => {
    if (waiting !== '') terminal.print(waiting);
    waiting = '';
  };
  return {
    print(text) {
      waiting += text;
      if (waiting.length > printedCharsMax) flush();
    },
    flush,
  };
}

/** One line of standard input; null at its end. */
export function readLine({ inputFd }: Terminal): string | null {
  const byte = new Uint8Array(1);
  const line: number[] = [];
  while (readSync(inputFd, byte, 0, 1, null) === 1) {
    const [value = 0] = byte;
    if (value === 0x0a) return Buffer.from(line).toString('utf8');
    line.push(value);
  }
  return line.length === 0 ? null : Buffer.from(line).toString('utf8');
}

/** Whoever read our output has had enough: that is no failure. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCodes.finished : exitCodes.unexpected);
});

export const processTerminal: Terminal = {
  env: process.env,
  inputFd: 0,
  get columns() {
    return process.stdout.isTTY ? process.stdout.columns : undefined;
  },
  print: (text) => void process.stdout.write(text),
  complain: (line) => void process.stderr.write(`${line}\n`),
  // the server's code is loaded only by who starts one: `zabra word` must be quick
  async startServer(config, options) {
    const { runMember, runServer } = await import('../node/run-server.js');
    return config.ensemble.isDistributed
      ? await runMember(config, options)
      : await runServer(config, options);
  },
  untilStopped: () =>
    new Promise((resolve) => {
      let firstMs: number | null = null;
      const onSignal = (signal: NodeJS.Signals): void => {
        const nowMs = performance.now();
        if (firstMs !== null && nowMs - firstMs > sameSignalMs) process.exit(interrupted);
        firstMs ??= nowMs;
        resolve(signal);
      };
      process.on('SIGINT', onSignal);
      process.on('SIGTERM', onSignal);
    }),
  onCrash(tell) {
    const end = (reason: unknown): void => {
      tell(reason instanceof Error ? reason : new Error(String(reason)));
      process.exit(exitCodes.crashed);
    };
    process.on('uncaughtException', end);
    process.on('unhandledRejection', end);
  },
};
