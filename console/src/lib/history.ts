/** The last fifteen minutes, second by second: loaded once, then appended from the stream. */

import type { History, SystemView } from './view';

/** A value each step; `null` where nothing is known. */
export type Series = (number | null)[];

export const TOTAL_SERIES = ['in_per_second', 'out_per_second', 'backlog', 'dead_letters', 'retries_per_second'] as const;
export const CONSUMER_SERIES = ['lag_seconds', 'in_per_second', 'out_per_second', 'backlog'] as const;

export type TotalSeries = Record<(typeof TOTAL_SERIES)[number], Series>;
export type ConsumerSeries = Record<(typeof CONSUMER_SERIES)[number], Series>;

/** The most steps that are kept. */
export const STEPS_MAX = 900;

/** Without a value for this long, lines are broken instead of drawn through. */
const GAP_SECONDS = 5;

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

export class HistoryBuffer {
  /** Seconds since the Unix epoch, ascending. */
  times: number[] = [];
  totals: TotalSeries = emptyTotals();
  consumers = new Map<string, ConsumerSeries>();

  /** Replaces everything. Series shorter than the times are known to end now, so they are filled in front. */
  load(history: History): void {
    this.times = history.times_ms.map((ms) => ms / 1000);
    const fit = (series: Series): Series => aligned(series, this.times.length);
    this.totals = mapSeries(TOTAL_SERIES, (name) => fit(history.totals[name]));
    this.consumers = new Map(
      [...history.consumers].map(([id, series]) => [id, mapSeries(CONSUMER_SERIES, (name) => fit(series[name]))]),
    );
    this.trim();
  }

  /** Adds a snapshot, unless one as new is there already. */
  append(view: SystemView): void {
    const time = view.time_ms / 1000;
    const last = this.times.at(-1);
    if (last !== undefined && time <= last + 0.2) return;
    if (last !== undefined && time - last > GAP_SECONDS) this.push(last + 1, null);
    this.push(time, view);
    this.trim();
  }

  /** The series of a consumer; empty values when it is not known. */
  consumer(id: string): ConsumerSeries {
    return this.consumers.get(id) ?? mapSeries(CONSUMER_SERIES, () => aligned([], this.times.length));
  }

  /** The index of the first step that is within the last `seconds`. */
  start(seconds: number): number {
    const from = (this.times.at(-1) ?? 0) - seconds;
    const index = this.times.findIndex((time) => time >= from);
    return index < 0 ? this.times.length : index;
  }

  private push(time: number, view: SystemView | null): void {
    const before = this.times.length;
    this.times.push(time);
    for (const name of TOTAL_SERIES) this.totals[name].push(view === null ? null : finite(view.totals[name]));
    for (const consumer of view?.consumers ?? []) {
      const series = this.consumers.get(consumer.id) ?? mapSeries(CONSUMER_SERIES, () => aligned([], before));
      this.consumers.set(consumer.id, series);
      for (const name of CONSUMER_SERIES) series[name].push(finite(consumer[name]));
    }
    // Those that this snapshot does not have still get their step.
    for (const series of this.consumers.values()) {
      for (const name of CONSUMER_SERIES) if (series[name].length < this.times.length) series[name].push(null);
    }
  }

  private trim(): void {
    const surplus = this.times.length - STEPS_MAX;
    if (surplus <= 0) return;
    this.times.splice(0, surplus);
    for (const name of TOTAL_SERIES) this.totals[name].splice(0, surplus);
    for (const series of this.consumers.values()) for (const name of CONSUMER_SERIES) series[name].splice(0, surplus);
  }
}

function mapSeries<const N extends readonly string[]>(names: N, make: (name: N[number]) => Series): Record<N[number], Series> {
  return Object.fromEntries(names.map((name) => [name, make(name as N[number])])) as Record<N[number], Series>;
}

function emptyTotals(): TotalSeries {
  return mapSeries(TOTAL_SERIES, () => []);
}

/** Exactly `length` values, the last ones; missing ones in front are unknown. */
function aligned(series: Series, length: number): Series {
  const kept = series.slice(Math.max(0, series.length - length));
  return [...new Array<null>(length - kept.length).fill(null), ...kept];
}
