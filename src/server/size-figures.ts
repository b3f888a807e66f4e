/** Sizes of what passes by: the last, the smallest, the largest. */

const NONE = -1;

export class SizeFigures {
  /** -1 before the first, and likewise below. */
  last = NONE;
  min = NONE;
  max = NONE;

  add(bytes: number): void {
    this.last = bytes;
    if (this.min === NONE || bytes < this.min) this.min = bytes;
    if (bytes > this.max) this.max = bytes;
  }

  reset(): void {
    this.last = this.min = this.max = NONE;
  }
}
