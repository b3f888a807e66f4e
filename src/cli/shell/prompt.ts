/**
 * The shell with somebody before it: a line to edit, with history and completion, and a prompt that
 * shows the session as it is. What happens meanwhile is written above the line, which stays as it was.
 */
import { createInterface, cursorTo, moveCursor, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { completionsOf } from './completion.js';
import { HistoryFile } from './history-file.js';
import { LineQueue } from './line-queue.js';
import type { Shell } from './shell.js';
import type { Surface } from './surface.js';

export interface PromptOptions {
  readonly input: Readable;
  readonly output: Writable & { readonly columns?: number };
  readonly env: Readonly<Record<string, string | undefined>>;
}

const colours: Readonly<Record<string, string>> = {
  CONNECTED: '\x1b[32m',
  CONNECTEDREADONLY: '\x1b[33m',
  CONNECTING: '\x1b[33m',
  CLOSED: '\x1b[31m',
};
const clearBelow = '\x1b[J';

export class Prompt {
  readonly #options: PromptOptions;
  readonly #history: HistoryFile;
  #reader: Interface | null = null;
  #shell: Shell | null = null;
  #isShown = false;

  constructor(options: PromptOptions) {
    this.#options = options;
    this.#history = new HistoryFile(options.env);
  }

  readonly surface: Surface = ((): Surface => {
    const write = (text: string): void => {
      this.#above(text);
    };
    const prompt = this.#columns.bind(this);
    return {
      get columns() {
        return prompt();
      },
      print: write,
      tell: (line) => {
        write(`${line}\n`);
      },
      progress: (line) => {
        if (!this.#isShown) this.#options.output.write(`\r${line}${clearBelow}\r`);
      },
      notice: (text) => {
        write(`${text}\n`);
      },
    };
  })();

  /** Resolves with the exit code when the user leaves. */
  async run(shell: Shell): Promise<number> {
    this.#shell = shell;
    const reader = createInterface({
      input: this.#options.input,
      output: this.#options.output,
      terminal: true,
      history: this.#history.read(),
      historySize: 1000,
      removeHistoryDuplicates: true,
      prompt: this.#text(),
      completer: (line: string, tell: (error: Error | null, found: [string[], string]) => void) => {
        void completionsOf(line, shell.connection.client).then((found) => {
          tell(null, found);
        });
      },
    });
    this.#reader = reader;
    const lines = new LineQueue();
    reader.on('line', (line) => {
      this.#isShown = false;
      lines.push(line);
    });
    reader.on('close', () => {
      lines.close();
      shell.abort();
    });
    reader.on('SIGINT', () => {
      if (shell.isRunning) shell.abort();
      else this.#dropLine();
    });
    this.#show();
    let code = 0;
    while (!shell.hasQuit) {
      const line = await lines.next();
      if (line === null) break;
      this.#history.append(line);
      code = (await shell.runLine(line)) ?? code;
      if (lines.isEmpty) this.#showUnless(shell);
    }
    if (lines.isClosed) this.#options.output.write('\n');
    this.#reader = null;
    reader.close();
    return code;
  }

  /** The session's state, or the number of the command, is another. */
  refresh(): void {
    const reader = this.#reader;
    if (reader === null || !this.#isShown) return;
    reader.setPrompt(this.#text());
    reader.prompt(true);
  }

  #columns(): number | undefined {
    return this.#options.output.columns;
  }

  #text(): string {
    const isPlain = (this.#options.env['NO_COLOR'] ?? '') !== '';
    return (
      this.#shell?.prompt((state) => {
        const colour = isPlain ? undefined : colours[state];
        return colour === undefined ? state : `${colour}${state}\x1b[0m`;
      }) ?? ''
    );
  }

  #showUnless({ hasQuit }: Shell): void {
    if (!hasQuit) this.#show();
  }

  #show(): void {
    this.#reader?.setPrompt(this.#text());
    this.#reader?.prompt();
    this.#isShown = true;
  }

  /** Whatever is being typed is put below it again. */
  #above(text: string): void {
    const { output } = this.#options;
    const reader = this.#reader;
    if (reader === null || !this.#isShown) {
      output.write(text);
      return;
    }
    moveCursor(output, 0, -reader.getCursorPos().rows);
    cursorTo(output, 0);
    output.write(`${clearBelow}${text}`);
    reader.prompt(true);
  }

  #dropLine(): void {
    this.#options.output.write('^C\n');
    const reader = this.#reader;
    // as if nothing had been typed: Ctrl-E, then Ctrl-U
    reader?.write(null, { ctrl: true, name: 'e' });
    reader?.write(null, { ctrl: true, name: 'u' });
    this.#show();
  }
}
