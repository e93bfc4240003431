/** What a chart shows, and its table. Pure. */

import type { Series } from './history';

/** One line of a chart. */
export interface Line {
  label: string;
  /** The CSS variable of its colour. */
  colour: string;
  values: Series;
  /** Dashes, so that lines differ without colour too. */
  dash?: number[];
  /** The CSS variable of the area below it. */
  area?: string;
}

/** The chart's windows, in seconds, by their words in the address. */
export const WINDOWS: Record<string, number> = { '2m': 120, '5m': 300, '15m': 900 };

export const DEFAULT_WINDOW = '15m';

export function windowSeconds(word: string | null): number {
  return WINDOWS[word ?? DEFAULT_WINDOW] ?? 900;
}

/** One minute of the table: its start, seconds since the Unix epoch, and each line's mean. */
export interface Minute {
  time: number;
  means: (number | null)[];
}

/** The lines minute by minute, the newest first. */
export function minutes(times: readonly number[], lines: readonly Line[]): Minute[] {
  const byMinute = new Map<number, number[]>();
  for (const [index, time] of times.entries()) {
    const minute = Math.floor(time / 60) * 60;
    const steps = byMinute.get(minute);
    if (steps === undefined) byMinute.set(minute, [index]);
    else steps.push(index);
  }
  return [...byMinute].reverse().map(([time, steps]) => ({ time, means: lines.map((line) => mean(line.values, steps)) }));
}

function mean(values: Series, steps: number[]): number | null {
  const known = steps.map((step) => values[step] ?? null).filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** What a chart's values are; it decides the words and the steps of its scale. */
export type Measure = 'rate' | 'count' | 'seconds';

/** Steps of a scale of time that people count in, in seconds. */
export const SECOND_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];

/** The top of the scale: the largest value with some air, and never so low that noise fills the chart. */
export function scaleTop(largest: number, least: number): number {
  return Math.max(least, largest * 1.12);
}
