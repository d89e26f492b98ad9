/** Times as people write them. */

const DAY_MS = 24 * 60 * 60_000;
const UNITS: [number, string][] = [
  [3_600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];
const time = new Intl.DateTimeFormat([], { timeStyle: 'short' });
const full = new Intl.DateTimeFormat([], { timeStyle: 'short', dateStyle: 'full' });
const weekday = new Intl.DateTimeFormat([], { weekday: 'short' });
const date = new Intl.DateTimeFormat([], { day: 'numeric', month: 'short' });
const longDate = new Intl.DateTimeFormat([], { weekday: 'long', day: 'numeric', month: 'long' });
const year = new Intl.DateTimeFormat([], { dateStyle: 'long' });
const dated = new Intl.DateTimeFormat([], { dateStyle: 'medium', timeStyle: 'short' });
const ago = new Intl.RelativeTimeFormat([], { numeric: 'auto' });

const dayOf = (moment: Date) => new Date(moment).setHours(0, 0, 0, 0);
const daysSince = (moment: Date) => Math.round((dayOf(new Date()) - dayOf(moment)) / DAY_MS);

export const clock = (moment: string | number) => time.format(new Date(moment));
export const fullTime = (moment: string | number) => full.format(new Date(moment));
export const isSameDay = (one: number, other: number) =>
  dayOf(new Date(one)) === dayOf(new Date(other));

/** As short as possible, for the list. */
export function shortTime(moment: string): string {
  const then = new Date(moment);
  const days = daysSince(then);
  if (days <= 0) return time.format(then);
  return days < 7 ? weekday.format(then) : date.format(then);
}

/** For the line between two days. */
export function dayName(moment: number): string {
  const then = new Date(moment);
  const days = daysSince(then);
  if (days <= 1) return capital(ago.format(-days, 'day'));
  return (days < 300 ? longDate : year).format(then);
}

/** A time in the future. */
export const moment = (time_ms: number) =>
  (isSameDay(time_ms, Date.now()) ? time : dated).format(time_ms);

/** The rest of a wait, as a countdown: `4:05`. */
export function timeLeft(left_ms: number): string {
  const seconds = Math.ceil(left_ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export function duration(seconds: number): string {
  const [size, unit] = UNITS.find(([size]) => seconds % size === 0)!;
  return count(seconds / size, unit);
}

/** After `every`: `minute`, or `30 seconds`. */
export const pause = (seconds: number) => duration(seconds).replace(/^1 /, '');

/** `1 minute`, `2 minutes`. */
function count(number: number, unit: string): string {
  return number === 1 ? `1 ${unit}` : `${number} ${unit}s`;
}

export const days = (number: number) => count(number, 'day');

export function lastSeen(moment?: string): string {
  if (!moment) return 'offline';
  const minutes = Math.floor((Date.now() - Date.parse(moment)) / 60_000);
  if (minutes < 1) return 'last seen just now';
  if (minutes < 60) return `last seen ${ago.format(-minutes, 'minute')}`;
  if (minutes < 24 * 60) return `last seen ${ago.format(-Math.floor(minutes / 60), 'hour')}`;
  return `last seen ${date.format(new Date(moment))}`;
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
