/** Which consumer needs eyes first. */

import type { ConsumerView, SystemView } from './view';
import { CONSUMER_WORDS, severityRank } from './words';

/** Lag ÷ objective. 0 when there is no lag; infinite when the objective is zero and there is some. */
export function freshness(consumer: Pick<ConsumerView, 'lag_seconds' | 'objective_seconds'>): number {
  const lag = Number.isFinite(consumer.lag_seconds) ? Math.max(0, consumer.lag_seconds) : 0;
  if (lag === 0) return 0;
  return consumer.objective_seconds > 0 ? lag / consumer.objective_seconds : Number.POSITIVE_INFINITY;
}

/** Freshness, at least 1 for one that cannot go on by itself: its lag is still small only because it has just stopped. */
export function urgency(consumer: ConsumerView): number {
  const stopped = consumer.state === 'halted' || consumer.state === 'stalled';
  return stopped ? Math.max(1, freshness(consumer)) : freshness(consumer);
}

/** The most urgent first; ties by severity, then backlog, then name, so that rows do not jump about. */
export function byUrgency(a: ConsumerView, b: ConsumerView): number {
  const [first, second] = [urgency(a), urgency(b)];
  return (
    (first === second ? 0 : second - first) ||
    severityRank(CONSUMER_WORDS[b.state].severity) - severityRank(CONSUMER_WORDS[a.state].severity) ||
    b.backlog - a.backlog ||
    a.id.localeCompare(b.id)
  );
}

/** The consumers, the most urgent first. */
export function ranked(view: SystemView): ConsumerView[] {
  return [...view.consumers].sort(byUrgency);
}

/** Whether it is beyond its objective or stopped. */
export function isProblem(consumer: ConsumerView): boolean {
  const severity = CONSUMER_WORDS[consumer.state].severity;
  return severity === 'error' || severity === 'warning';
}

/** The columns that the table can be sorted by. */
export const SORTS = {
  urgency: urgency,
  consumer: (consumer: ConsumerView) => consumer.id,
  state: (consumer: ConsumerView) => severityRank(CONSUMER_WORDS[consumer.state].severity),
  lag: (consumer: ConsumerView) => consumer.lag_seconds,
  backlog: (consumer: ConsumerView) => consumer.backlog,
  // What never drains is the longest of all.
  drain: (consumer: ConsumerView) => (consumer.backlog === 0 ? -1 : (consumer.drain_seconds ?? Number.MAX_VALUE)),
  in: (consumer: ConsumerView) => consumer.in_per_second,
  out: (consumer: ConsumerView) => consumer.out_per_second,
  p99: (consumer: ConsumerView) => consumer.handler_p99_ms ?? -1,
  flight: (consumer: ConsumerView) => consumer.in_flight,
  retries: (consumer: ConsumerView) => consumer.retries_per_second,
  held: (consumer: ConsumerView) => consumer.held,
  dead: (consumer: ConsumerView) => consumer.dead_letters,
} satisfies Record<string, (consumer: ConsumerView) => number | string>;

export type SortKey = keyof typeof SORTS;
export type Direction = 'ascending' | 'descending';

export function isSortKey(value: string | null): value is SortKey {
  return value !== null && Object.hasOwn(SORTS, value);
}

/** The consumers in the order of a column; ties by urgency. What is not known comes last. */
export function sorted(consumers: readonly ConsumerView[], key: SortKey, direction: Direction): ConsumerView[] {
  if (key === 'urgency' && direction === 'descending') return [...consumers].sort(byUrgency);
  const sign = direction === 'ascending' ? 1 : -1;
  return [...consumers].sort((a, b) => {
    const [first, second] = [SORTS[key](a), SORTS[key](b)];
    if (typeof first === 'string' || typeof second === 'string') return sign * String(first).localeCompare(String(second));
    const unknown = Number(Number.isNaN(first)) - Number(Number.isNaN(second));
    return unknown || (first === second ? 0 : sign * (first - second)) || byUrgency(a, b);
  });
}

/** Whether every word of the search occurs in the consumer's id, state, or what it needs. */
export function matches(consumer: ConsumerView, search: string): boolean {
  const hay = [consumer.id, CONSUMER_WORDS[consumer.state].word, consumer.held_by ?? '', ...consumer.needs].join(' ').toLowerCase();
  return search.toLowerCase().split(/\s+/).every((part) => hay.includes(part));
}
