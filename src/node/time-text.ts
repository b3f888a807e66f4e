/** Times as Java prints them, in the time zone of this machine. */
import type { TimeText } from '../storage/tools/time-text.js';

const short = new Intl.DateTimeFormat('en-US', { dateStyle: 'short', timeStyle: 'long' });
const parts = new Intl.DateTimeFormat('en-US', {
  weekday: 'short',
  month: 'short',
  day: '2-digit',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
  timeZoneName: 'short',
});

export const nodeTimeText: TimeText = {
  // newer tables have a narrow space before AM and PM
  short: (timeMs) => short.format(timeMs).replace(/[\u202f\u00a0]/g, ' '),
  long(timeMs) {
    const named = new Map(parts.formatToParts(timeMs).map(({ type, value }) => [type, value]));
    const of = (type: Intl.DateTimeFormatPartTypes): string => named.get(type) ?? '';
    const time = `${of('hour')}:${of('minute')}:${of('second')}`;
    return `${of('weekday')} ${of('month')} ${of('day')} ${time} ${of('timeZoneName')} ${of('year')}`;
  },
};
