/** What an interop run of ensembles has checked. */
export class Tally {
  passed = 0;
  failed = 0;
  #scene = '';

  begin(scene: string): void {
    this.#scene = scene;
  }

  check(what: string, found: unknown, wanted: unknown): void {
    const [is, should] = [String(found), String(wanted)];
    this.none(what, is === should ? [] : [`${is} instead of ${should}`]);
  }

  /** A check that found these problems. */
  none(what: string, problems: readonly string[]): void {
    if (problems.length === 0) {
      this.passed++;
      return;
    }
    this.failed++;
    console.log(`FAIL ${this.#scene} > ${what}: ${problems.slice(0, 5).join('\n  ')}`);
  }
}
