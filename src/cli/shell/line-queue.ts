/** Lines that were typed, until the command before them is done. */
export class LineQueue {
  readonly #lines: string[] = [];
  #isClosed = false;
  #wake: () => void = () => undefined;

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  /** No more will come. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  push(line: string): void {
    this.#lines.push(line);
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  /** Null: there are no more. */
  async next(): Promise<string | null> {
    while (this.#lines.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#lines.shift() ?? null;
  }
}
