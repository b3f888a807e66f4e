/**
 * The shell itself: takes one command after the other, from whom it may be, runs it in the session
 * that there is, and says how it went. What is typed and what is piped goes the same way.
 */
import type { Watcher } from '../../client/types.js';
import { setMaxListeners } from 'node:events';
import { exitCodes } from '../terminal.js';
import { nearest } from '../nearest.js';
import { usageOf, type Call, type CommandEntry } from './command.js';
import { builtIns, commandNames, commands } from './commands.js';
import { ShellConnection } from './connection.js';
import { eventLines, stateLines } from './event-text.js';
import { CommandFailure, CommandUsageError, exitCodeOf } from './failure.js';
import { parseFlags } from './flags.js';
import type { Launch, OutputForm } from './launch.js';
import { Results } from './results.js';
import type { Surface } from './surface.js';
import { wordsOf } from './words.js';

/** The history shows so many, and the command itself. */
const historyShown = 10;

const stopped = 130;

/** What is done within this time needs no word on how far it is. */
const quickMs = 2000;

export interface ShellSurroundings {
  readonly surface: Surface;
  /** Somebody sits before it: it goes on when a server is away. */
  readonly isInteractive: boolean;
  /** Standard input, where it is not the commands. */
  readInput(): Promise<string>;
  /** The prompt may have to change. */
  onChange(): void;
}

export class Shell {
  readonly #launch: Launch;
  readonly #around: ShellSurroundings;
  readonly #lines: string[] = [];
  readonly connection: ShellConnection;
  #printsWatches = true;
  #running: AbortController | null = null;
  #hasQuit = false;
  #isStopped = false;

  constructor(launch: Launch, around: ShellSurroundings) {
    this.#launch = launch;
    this.#around = around;
    this.connection = new ShellConnection(launch, {
      onState: (name) => {
        if (name !== '' && this.#printsWatches) around.surface.notice(stateLines(name));
        around.onChange();
      },
      onWarning: (text) => {
        around.surface.notice(text);
      },
      onWait: (server) => {
        if (!around.isInteractive) return;
        around.surface.notice(`no connection to ${server} yet; Ctrl-C ends the waiting`);
      },
    });
  }

  /** One for all watches: a change is told once, whatever it was that asked for it. */
  readonly #onWatch: Watcher = (event) => {
    if (this.#printsWatches) this.#around.surface.notice(eventLines(event));
  };

  get hasQuit(): boolean {
    return this.#hasQuit;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** As zkCli's: with whom, in which state, the how many-th command. */
  prompt(paint: (state: string) => string = (state) => state): string {
    const { server, stateName } = this.connection;
    return `[zk: ${server}(${paint(stateName)}) ${this.#lines.length}] `;
  }

  async start(): Promise<void> {
    const isPatient = this.#around.isInteractive;
    await this.connection.open(this.#launch.server, { isPatient });
  }

  /** Ends the command that is running. */
  abort(): void {
    this.#running?.abort(new DOMException('stopped', 'AbortError'));
  }

  /** And all that come after it. */
  stop(): void {
    this.#isStopped = true;
    this.#hasQuit = true;
    this.abort();
  }

  /** Resolves with the exit code; null: there was nothing on it. */
  async runLine(line: string): Promise<number | null> {
    const words = wordsOf(line);
    if (words.length === 0) return null;
    this.#lines.push(line);
    const code = await this.runWords(words);
    this.#around.onChange();
    return code;
  }

  async runWords(given: readonly string[]): Promise<number> {
    const { words, form } = withoutForm(given, this.#launch.form);
    const results = new Results(this.#around.surface, form);
    const running = new AbortController();
    // each request under way listens to it
    setMaxListeners(0, running.signal);
    this.#running = running;
    if (this.#isStopped) this.abort();
    try {
      return await this.#dispatch(words, form, results, running.signal);
    } catch (error) {
      return await this.#fail(error, results, running.signal);
    } finally {
      this.#running = null;
    }
  }

  async #fail(error: unknown, results: Results, signal: AbortSignal): Promise<number> {
    const { hintsFor } = await import('./hints.js');
    const hints = await hintsFor(error, this.connection.client);
    results.failure(error, hints);
    return signal.aborted ? stopped : exitCodeOf(error);
  }

  async #dispatch(
    [name = '', ...rest]: readonly string[],
    form: OutputForm,
    results: Results,
    signal: AbortSignal,
  ): Promise<number> {
    if (builtIns.has(name)) return await this.#builtIn(name, rest, results, signal);
    const entry = commands.get(name);
    if (entry === undefined) throw notFound(name);
    if (rest.includes('--help') || rest.includes('-?')) {
      results.answer({ text: usageOf(name, entry), json: { usage: usageOf(name, entry) } });
      return exitCodes.finished;
    }
    try {
      return await this.#run(entry, rest, results, signal);
    } catch (error) {
      if (!(error instanceof CommandUsageError)) throw error;
      results.failure(error, form === 'text' ? usageOf(name, entry).split('\n') : []);
      return exitCodes.invalidInvocation;
    }
  }

  async #run(
    entry: CommandEntry,
    words: readonly string[],
    results: Results,
    signal: AbortSignal,
  ): Promise<number> {
    const flags = parseFlags(entry.flags, words);
    if (flags.rest.length < entry.needs) throw new CommandUsageError('an argument is missing');
    const run = await entry.load();
    const { surface } = this.#around;
    const startedMs = performance.now();
    const client = entry.isLocal === true ? null : await this.connection.ready(signal);
    const call: Call = {
      flags,
      args: flags.rest,
      get client() {
        if (client === null) throw new CommandFailure('Not connected');
        return client;
      },
      signal,
      isJson: results.isJson,
      columns: surface.columns,
      readInput: () => this.#around.readInput(),
      tell: (line) => {
        results.flush();
        surface.tell(line);
      },
      progress: (line) => {
        if (performance.now() - startedMs > quickMs) surface.progress(line);
      },
      item: (text, json) => {
        results.item(text, json);
      },
      watched: this.#onWatch,
    };
    const answer = await run(call);
    results.answer(answer);
    return answer.exitCode ?? exitCodes.finished;
  }

  async #builtIn(
    name: string,
    [first]: readonly string[],
    results: Results,
    signal: AbortSignal,
  ): Promise<number> {
    switch (name) {
      case 'quit':
        this.#hasQuit = true;
        break;
      case 'close':
        await this.connection.close();
        results.answer({ text: null, json: { ok: true } });
        break;
      case 'connect': {
        const isPatient = this.#around.isInteractive;
        await this.connection.open(first ?? this.connection.server, { isPatient });
        if (!isPatient) await this.connection.ready(signal);
        results.answer({ text: null, json: { ok: true } });
        break;
      }
      case 'help':
        this.#help(first, results);
        break;
      case 'history':
        this.#history(results);
        break;
      case 'printwatches':
        if (first === undefined) {
          const text = `printwatches is ${this.#printsWatches ? 'on' : 'off'}`;
          results.answer({ text, json: { printwatches: this.#printsWatches } });
        } else {
          this.#printsWatches = first === 'on';
          results.answer({ text: null, json: { printwatches: this.#printsWatches } });
        }
        break;
      default:
        return await this.#redo(first);
    }
    return exitCodes.finished;
  }

  #history(results: Results): void {
    const from = Math.max(0, this.#lines.length - 1 - historyShown);
    for (const [index, line] of this.#lines.entries()) {
      if (index >= from) results.item(`${index} - ${line}`, { number: index, line });
    }
    results.answer({ text: null });
  }

  async #redo(number: string | undefined): Promise<number> {
    const index = Number(number ?? '');
    const line = /^\d+$/.test(number ?? '') ? this.#lines[index] : undefined;
    // the last is this one
    if (line === undefined || index >= this.#lines.length - 1) {
      throw new CommandUsageError('Command index out of range');
    }
    const words = wordsOf(line);
    if (words[0] === 'redo') throw new CommandUsageError('No redoing redos');
    this.#lines[this.#lines.length - 1] = line;
    return await this.runWords(words);
  }

  #help(name: string | undefined, results: Results): void {
    const entry = name === undefined ? undefined : commands.get(name);
    if (name !== undefined && entry === undefined && !builtIns.has(name)) throw notFound(name);
    if (name !== undefined && entry !== undefined) {
      results.answer({ text: usageOf(name, entry), json: { usage: usageOf(name, entry) } });
      return;
    }
    for (const known of name === undefined ? commandNames() : [name]) {
      const about = commands.get(known)?.about ?? builtIns.get(known)?.[1] ?? '';
      const usage = commands.get(known)?.usage ?? builtIns.get(known)?.[0] ?? '';
      results.item(`  ${known.padEnd(21)} ${about}`, { name: known, usage, about });
    }
    results.answer({ text: null });
  }
}

function notFound(name: string): CommandUsageError {
  const meant = nearest(name, commandNames());
  const hint = meant === null ? 'help lists the commands' : `did you mean ${meant}?`;
  return new CommandUsageError(`Command not found: ${name}; ${hint}`);
}

/** --json and --ndjson may stand behind any command, too. */
function withoutForm(
  given: readonly string[],
  usual: OutputForm,
): { words: readonly string[]; form: OutputForm } {
  const end = given.indexOf('--');
  const isForm = (word: string, at: number): boolean =>
    (word === '--json' || word === '--ndjson') && (end < 0 || at < end);
  const last = given.filter(isForm).at(-1);
  const form = last === undefined ? usual : last === '--json' ? 'json' : 'ndjson';
  const words = given.filter((word, at) => !isForm(word, at));
  // who watches does not wait for the end
  const isEndless = form === 'json' && commands.get(words[0] ?? '')?.isEndless === true;
  return { words, form: isEndless ? 'ndjson' : form };
}
