/** What is counted about one target to find out whether it is an outlier; see outlier-detection.ts. */
export class OutlierRecord {
  /** Errors since the last success. */
  consecutiveErrors = 0;
  /** Of this interval. */
  successes = 0;
  failures = 0;
  /** How often it was ejected lately: the next ejection lasts so much longer. */
  ejections = 0;
  /** Null: it is not ejected. */
  ejectedUntilMs: number | null = null;

  get isEjected(): boolean {
    return this.ejectedUntilMs !== null;
  }
}
