/** Dates as Java's tools print them in an English locale, in this machine's time zone. */
import type { TimeText } from '../storage/tools/time-text.js';

const pieces = new Intl.DateTimeFormat('en-US', {
  weekday: 'short',
  year: 'numeric',
  month: 'short',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
  timeZoneName: 'short',
});

const shortDate = new Intl.DateTimeFormat('en-US', { dateStyle: 'short', timeStyle: 'long' });

export const javaTimeText: TimeText = {
  short(timeMs) {
    // newer editions of the locale data put a narrow space before AM and PM; Java 17 does not
    return shortDate.format(timeMs).replaceAll('\u202f', ' ');
  },
  long(timeMs) {
    const found = new Map(pieces.formatToParts(timeMs).map(({ type, value }) => [type, value]));
    const of = (type: Intl.DateTimeFormatPartTypes): string => found.get(type) ?? '';
    const date = `${of('weekday')} ${of('month')} ${of('day')}`;
    return `${date} ${of('hour')}:${of('minute')}:${of('second')} ${of('timeZoneName')} ${of('year')}`;
  },
};
