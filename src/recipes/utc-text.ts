/**
 * Times in UTC as kazoo writes them, to the second: `2026-11-21T16:20:00`. By arithmetic on the
 * calendar (days since 1970 to year, month and day), because recipes know no clock but the world's,
 * and a text needs none.
 */
const dayMs = 86_400_000;

/** Of a time in milliseconds since 1970; what is less than a second is dropped. */
export function utcText(timeMs: number): string {
  const days = Math.floor(timeMs / dayMs);
  const seconds = Math.floor((timeMs - days * dayMs) / 1000);
  const [year, month, day] = dateOf(days);
  const date = [pad(year, 4), pad(month), pad(day)].join('-');
  const time = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) =>
    pad(Math.floor(part)),
  );
  return `${date}T${time.join(':')}`;
}

/** In milliseconds since 1970; NaN: it is no such text. */
export function parseUtcText(text: string): number {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)$/.exec(text);
  if (match === null) return NaN;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map(Number);
  const isInRange = month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24;
  if (!isInRange || minute > 59 || second > 60) return NaN;
  return daysOf(year, month, day) * dayMs + ((hour * 60 + minute) * 60 + second) * 1000;
}

/** Years begin in March here, so that the odd day comes last; 400 of them are 146,097 days. */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * 146_097 + yearOfEra * 365 + leapDays + dayOfYear - 719_468;
}

function dateOf(days: number): [year: number, month: number, day: number] {
  // the year that a day lies in is found by asking when years begin
  let year = 1970 + Math.floor(days / 365.2425);
  while (daysOf(year, 1, 1) > days) year--;
  while (daysOf(year + 1, 1, 1) <= days) year++;
  let month = 12;
  while (daysOf(year, month, 1) > days) month--;
  return [year, month, days - daysOf(year, month, 1) + 1];
}

function pad(value: number, length = 2): string {
  return String(value).padStart(length, '0');
}
