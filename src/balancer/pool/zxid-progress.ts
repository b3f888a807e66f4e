/**
 * Who is behind, and since when. Servers are asked at different times, and under load a zxid that is two
 * seconds old is ten thousand transactions old: comparing answers as they come calls every server but
 * the last one late. So it is kept when each newest zxid was first seen anywhere; a server that answers
 * with an older one now has been behind since then at least.
 */
/** Of marks that are closer the middle one says little. */
const SPACING_MS = 250;
/** Half a minute: who is farther behind is so by all measures. */
const MARKS_MAX = 128;

export class ZxidProgress {
  /** In the order of both time and zxid. */
  readonly #marks: { readonly zxid: bigint; readonly atMs: number }[] = [];

  /** The newest that any server has told. */
  get newest(): bigint {
    return this.#marks.at(-1)?.zxid ?? 0n;
  }

  saw(zxid: bigint, nowMs: number): void {
    if (zxid <= this.newest) return;
    const marks = this.#marks;
    const last = marks.at(-1);
    const before = marks.at(-2);
    if (last !== undefined && before !== undefined && last.atMs < before.atMs + SPACING_MS) {
      marks.pop();
    }
    marks.push({ zxid, atMs: nowMs });
    if (marks.length > MARKS_MAX) marks.shift();
  }

  /** How long something newer than `zxid` has been known. 0: nothing newer is known. */
  lagMs(zxid: bigint, nowMs: number): number {
    const newer = this.#marks.find((mark) => mark.zxid > zxid);
    return newer === undefined ? 0 : Math.max(0, nowMs - newer.atMs);
  }

  /** Transactions between `zxid` and the newest; null: another epoch has begun, nobody can tell. */
  lag(zxid: bigint): number | null {
    const { newest } = this;
    if (newest >> 32n !== zxid >> 32n) return null;
    return Number(newest > zxid ? newest - zxid : 0n);
  }
}
