// Times for people. "In 12 s" uses the server's clock, which can differ from this machine's.

let ahead = 0;

/** Sets the server's time. */
export const setServerTime = (iso) => (ahead = Date.parse(iso) - Date.now());

/** The server's time in milliseconds. */
export const now = () => Date.now() + ahead;

const pad = (number) => String(number).padStart(2, '0');

/** `12:04:31.123` in this machine's time zone. */
export function time(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return '';
  const milliseconds = String(date.getMilliseconds()).padStart(3, '0');
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${milliseconds}`;
}

/** Seconds as `12 s`, `3 min 20 s` or `2 h 5 min`. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const two = (large, name, small, rest) => `${large} ${name}${small ? ` ${small} ${rest}` : ''}`;
  if (whole < 3600) return two(Math.floor(whole / 60), 'min', whole % 60, 's');
  return two(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
}

/** Milliseconds as `12 ms` or `1.4 s`. */
export function latency(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return duration(milliseconds / 1000);
}

/** The time until the next attempt: `next in 12 s`, or `due now`. */
export function next(due) {
  const left = Math.ceil((Date.parse(due) - now()) / 1000);
  return left > 0 ? `next in ${duration(left)}` : 'due now';
}

/** Calls `tick` each second while the page is visible. */
export function eachSecond(tick) {
  setInterval(() => document.hidden || tick(), 1000);
}
