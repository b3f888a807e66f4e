/** The results of one command in the form that was asked for: zkCli's lines, or JSON. */
import { ZkError } from '../../protocol/errors.js';
import type { Answer } from './command.js';
import { sentenceOf } from './failure.js';
import type { OutputForm } from './launch.js';
import type { Surface } from './surface.js';

/** Lines are gathered into writes of about so many characters. */
const printedCharsMax = 65_536;

export class Results {
  readonly #surface: Surface;
  readonly #form: OutputForm;
  readonly #items: unknown[] = [];
  #waiting = '';
  #flushing: NodeJS.Immediate | null = null;

  constructor(surface: Surface, form: OutputForm) {
    this.#surface = surface;
    this.#form = form;
  }

  get isJson(): boolean {
    return this.#form !== 'text';
  }

  item(text: string, json: unknown): void {
    if (this.#form === 'json') this.#items.push(json);
    else this.#line(this.#form === 'text' ? text : JSON.stringify(json));
  }

  answer({ text, json }: Answer): void {
    if (this.#form === 'text') {
      if (text !== null) this.#line(text);
    } else if (json !== undefined) {
      this.#line(JSON.stringify(json));
    } else if (this.#form === 'json') {
      this.#line(JSON.stringify(this.#items));
    }
    this.flush();
  }

  failure(error: unknown, hints: readonly string[]): void {
    this.flush();
    const message = sentenceOf(error);
    if (this.isJson) {
      const { codeName = null, code = null, path = null } = error instanceof ZkError ? error : {};
      this.#line(JSON.stringify({ error: { message, code: codeName, number: code, path, hints } }));
      this.flush();
      return;
    }
    this.#surface.tell(message);
    for (const hint of hints) this.#surface.tell(`  ${hint}`);
  }

  flush(): void {
    if (this.#flushing !== null) clearImmediate(this.#flushing);
    this.#flushing = null;
    if (this.#waiting !== '') this.#surface.print(this.#waiting);
    this.#waiting = '';
  }

  /** Seen at the end of this turn: who waits for an event sees it when it comes. */
  #line(text: string): void {
    this.#waiting += `${text}\n`;
    if (this.#waiting.length > printedCharsMax) this.flush();
    else this.#flushing ??= setImmediate(() => this.flush());
  }
}
