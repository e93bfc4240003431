/** Numbers and times as people read them, always with their unit. What is not known is “—”. */

export const UNKNOWN = '—';

/** Between a number and its unit: they stay on one line. */
const GAP = '\u00a0';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

function known(value: number | null | undefined): value is number {
  return value !== null && value !== undefined && Number.isFinite(value);
}

/** Three significant digits at most, never in scientific notation. */
function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return whole.format(value);
  return String(Number(value.toFixed(size >= 10 ? 1 : 2)));
}

const SCALES = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

function scaled(value: number, from: number): string {
  const size = Math.abs(value);
  // What would round to “1,000” or “1,000 k” has the next letter.
  if (size < from * 0.9995) return short(value);
  for (const [scale, letter] of SCALES) {
    if (size >= scale * 0.9995) return `${short(Number((value / scale).toPrecision(3)))}${GAP}${letter}`;
  }
  return short(value);
}

/** A count: exact up to five digits, then in thousands or millions. */
export function count(value: number | null | undefined): string {
  if (!known(value)) return UNKNOWN;
  return Math.abs(value) < 100_000 ? whole.format(value) : scaled(value, 100_000);
}

/** A count with every digit, for titles and details. */
export function exact(value: number | null | undefined): string {
  return known(value) ? whole.format(value) : UNKNOWN;
}

/** Events or deliveries a second. */
export function rate(value: number | null | undefined): string {
  if (!known(value)) return UNKNOWN;
  if (value > 0 && value < 0.01) return '<0.01/s';
  const digits = scaled(value, 1000);
  return `${digits}/s`;
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  const first = `${large}${GAP}${largeUnit}`;
  return small === 0 ? first : `${first}${GAP}${small}${GAP}${smallUnit}`;
}

/** A length of time in seconds: `0.4 s`, `42 s`, `4 min 12 s`, `2 h 10 min`, `3 d 4 h`. */
export function seconds(value: number | null | undefined): string {
  if (!known(value)) return UNKNOWN;
  if (value <= 0) return `0${GAP}s`;
  if (value < 0.095) return `${Math.max(1, Math.round(value * 1000))}${GAP}ms`;
  if (value < 9.95) return `${Number(value.toFixed(1))}${GAP}s`;
  const rounded = Math.round(value);
  if (rounded < 60) return `${rounded}${GAP}s`;
  if (rounded < 3600) return pair(Math.floor(rounded / 60), 'min', rounded % 60, 's');
  const minutes = Math.round(value / 60);
  if (minutes < 24 * 60) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(value / 3600);
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** A length of time in milliseconds; from ten seconds on, as `seconds` has it. */
export function milliseconds(value: number | null | undefined): string {
  if (!known(value)) return UNKNOWN;
  if (value <= 0) return `0${GAP}ms`;
  if (value < 0.995) return `${Math.max(0.01, Number(value.toFixed(2)))}${GAP}ms`;
  if (value < 999.5) return `${Number(value.toPrecision(3))}${GAP}ms`;
  if (value < 9995) return `${Number((value / 1000).toFixed(2))}${GAP}s`;
  return seconds(value / 1000);
}

/** A share of one: `0%`, `<1%`, `37%`. */
export function percent(value: number | null | undefined): string {
  if (!known(value)) return UNKNOWN;
  if (value > 0 && value < 0.01) return '<1%';
  if (value < 1 && value > 0.99) return '>99%';
  return `${Math.round(value * 100)}%`;
}

/** How often the objective fits into the lag: `0.4×`, `12×`. */
export function times(value: number | null | undefined): string {
  if (!known(value)) return UNKNOWN;
  if (value >= 1000) return '>999×';
  if (value > 0 && value < 0.1) return '<0.1×';
  return `${value >= 10 ? Math.round(value) : Number(value.toFixed(1))}×`;
}

/** Time until the backlog is gone; `drain` is `null` when it never will be at this rate. */
export function drainTime(drain: number | null, backlog: number): string {
  if (backlog === 0) return UNKNOWN;
  return drain === null ? 'never' : seconds(drain);
}

const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dateFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const fullFormat = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

/** The time of day, with the date when it is more than half a day ago. */
export function moment(at: number, now: number): string {
  return Math.abs(now - at) < 12 * 3600_000 ? clockFormat.format(at) : dateFormat.format(at);
}

/** Date and time to the second. */
export function fullMoment(at: number): string {
  return fullFormat.format(at);
}

/** How long ago: `just now`, `42 s ago`. */
export function ago(at: number, now: number): string {
  const passed = (now - at) / 1000;
  if (passed < 1) return 'just now';
  return `${coarse(passed)} ago`;
}

/** A length of time in its largest unit alone: `42 s`, `4 min`, `2 h`, `3 d`. */
export function coarse(value: number): string {
  if (!known(value)) return UNKNOWN;
  if (value < 60) return `${Math.max(0, Math.floor(value))}${GAP}s`;
  if (value < 3600) return `${Math.floor(value / 60)}${GAP}min`;
  if (value < 86_400) return `${Math.floor(value / 3600)}${GAP}h`;
  return `${Math.floor(value / 86_400)}${GAP}d`;
}

/** `1 dead letter`, `37 dead letters`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${exact(value)} ${value === 1 ? one : many}`;
}
