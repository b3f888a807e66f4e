/**
 * What the shell and its commands know of each other. A command is told what it was called with and
 * answers with its result twice: as the lines that people and scripts for zkCli expect, and as a value
 * for `--json`. It prints nothing itself, so the same code serves a prompt, a pipe and a test.
 */
import type { Watcher, ZkClient } from '../../client/types.js';
import type { Flags, FlagSpec } from './flags.js';

export interface Answer {
  /** Without a newline at its end; null: nothing is printed. */
  readonly text: string | null;
  /** Undefined: the items that were told before. */
  readonly json?: unknown;
  /** 0 unless given. */
  readonly exitCode?: number;
}

export interface Call {
  readonly flags: Flags;
  /** What the flags left, without the command's name. */
  readonly args: readonly string[];
  /** Throws where there is no session to work with. */
  readonly client: ZkClient;
  /** Aborted when the user has had enough. */
  readonly signal: AbortSignal;
  /** A JSON document is wanted, or one per item. */
  readonly isJson: boolean;
  /** What standard output is wide; undefined: nobody looks on. */
  readonly columns: number | undefined;
  /** Where a file is named `-`. */
  readonly readInput: () => Promise<string>;
  /** For people, not for pipes: standard error. */
  readonly tell: (line: string) => void;
  /** Over the line that it told before, where there is a terminal. */
  readonly progress: (line: string) => void;
  /** One of many results, as soon as it is known. */
  readonly item: (text: string, json: unknown) => void;
  /** A watch that this command sets is told to the user by this. */
  readonly watched: Watcher;
}

export type Run = (call: Call) => Promise<Answer>;

export interface CommandEntry {
  /** Behind its name. */
  readonly usage: string;
  /** What it does, in a few words. */
  readonly about: string;
  readonly flags: readonly FlagSpec[];
  /** So many arguments at least. */
  readonly needs: number;
  /** It needs no server. */
  readonly isLocal?: true;
  /** Its results come one by one until somebody stops it. */
  readonly isEndless?: true;
  /** Loads its code, which the others do without. */
  readonly load: () => Promise<Run>;
}

export function usageOf(name: string, { usage, flags }: CommandEntry): string {
  const heads = flags.map((flag) => {
    const dashes = flag.name.length === 1 ? '-' : '--';
    return `${dashes}${flag.name}${flag.value === undefined ? '' : ` <${flag.value}>`}`;
  });
  const width = Math.max(0, ...heads.map((head) => head.length)) + 3;
  const lines = flags.map((flag, index) => ` ${(heads[index] ?? '').padEnd(width)}${flag.about}`);
  return [`${name} ${usage}`.trimEnd(), ...lines].join('\n');
}

/** Nothing to print, all is well. */
export const done: Answer = { text: null, json: { ok: true } };
