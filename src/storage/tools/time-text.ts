/** Dates as Java's tools print them; the time zone and its name are the world's to know. */
export interface TimeText {
  /** As DateFormat's short date and long time: `11/21/26, 3:12:19 AM UTC`. */
  short(timeMs: number): string;
  /** As java.util.Date: `Sat Nov 21 03:12:19 UTC 2026`. */
  long(timeMs: number): string;
}
