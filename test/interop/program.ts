/**
 * A foreign program that talks to a ZooKeeper server: what it needs installed and how it is run. It
 * reports each thing it checked as a line, `ok <what>` or `FAIL <what>: <why>`; with the line
 * `restart` it asks for the server to be killed and started again, and goes on when it reads
 * `restarted`.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { ServerOptions, ServerProcess } from '../support/server-process.js';

export interface Interop {
  readonly target: string;
  /** A server of the target's kind; disposed at the end. */
  start(options?: ServerOptions): Promise<ServerProcess>;
  /** The server itself, Apache's, to compare with. */
  startApache(options?: ServerOptions): Promise<ServerProcess>;
  passed(what: string): void;
  failed(what: string, why: string): void;
}

export interface Program {
  readonly name: string;
  readonly about: string;
  /** It can do with any server of an ensemble as well, the leader being killed. */
  readonly takesEnsembles: boolean;
  /** Throws MissingError where the machine lacks something; then the program is skipped. */
  run(interop: Interop): Promise<void>;
}

/** What a client is given to connect to. */
export function hostsOf({ host, port, connectString }: ServerProcess): string {
  return connectString ?? `${host}:${port}`;
}

export interface Conversation {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  /** Called on `restart`; the program waits meanwhile. */
  readonly restart?: () => Promise<void>;
}

/** Runs a program that reports in lines. A program that says nothing, or fails, has failed. */
export async function converse(interop: Interop, conversation: Conversation): Promise<void> {
  const child = spawn(conversation.program, [...conversation.args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: conversation.env ?? process.env,
  });
  const other: string[] = [];
  let reports = 0;
  const timer = setTimeout(() => {
    other.push(`killed after ${conversation.timeoutMs} ms`);
    child.kill('SIGKILL');
  }, conversation.timeoutMs);
  let restarting = Promise.resolve();
  const read = (line: string): void => {
    if (line.startsWith('ok ')) {
      reports += 1;
      interop.passed(line.slice(3));
    } else if (line.startsWith('FAIL ')) {
      reports += 1;
      const [what = '', ...why] = line.slice(5).split(': ');
      interop.failed(what, why.join(': '));
    } else if (line === 'restart' && conversation.restart !== undefined) {
      restarting = conversation.restart().then(() => {
        child.stdin.write('restarted\n');
      });
    } else other.push(line);
  };
  createInterface({ input: child.stdout }).on('line', read);
  createInterface({ input: child.stderr }).on('line', (line) => other.push(line));
  child.stdin.on('error', () => {
    // the program ended without reading what it asked for; its exit tells
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(() => {
    clearTimeout(timer);
  });
  await restarting;
  if (code !== 0 || reports === 0) {
    interop.failed('the program ends well', `exit ${code}\n${other.slice(-25).join('\n')}`);
  }
}
