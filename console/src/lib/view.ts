/** The daemon's answers, field by field; the words are explained where the daemon defines them (`tidegate/state/v1`). */

import { anything, dictionary, list, measure, number, object, optional, text, word, type Decoded } from './decode';

/** The interface that this console reads. */
export const STATE_SCHEMA = 'tidegate/state/v1';

export const CONSUMER_STATES = ['ok', 'idle', 'catching-up', 'falling-behind', 'held', 'halted', 'stalled'] as const;
export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;
export const MODES = ['running', 'draining', 'stopped'] as const;

export const totals = object({
  in_per_second: measure,
  out_per_second: measure,
  retries_per_second: measure,
  backlog: number,
  in_flight: number,
  dead_letters: number,
});

export const attention = object({
  severity: word(['error', 'warning'], 'warning'),
  sentence: text,
  kind: text,
  name: text,
  since_ms: number,
});

export const service = object({
  name: text,
  owner: optional(text),
  publishes: list(text),
  consumes: list(text),
});

export const event = object({
  name: text,
  summary: optional(text),
  accepted_total: number,
  invalid_total: number,
  in_per_second: measure,
});

export const consumer = object({
  id: text,
  service: text,
  event: text,
  state: word(CONSUMER_STATES, 'unknown'),
  state_since_ms: number,
  reason: text,
  mode: text,
  lag_seconds: measure,
  objective_seconds: measure,
  backlog: number,
  drain_seconds: optional(number),
  in_flight: number,
  concurrency: number,
  waiting_retry: number,
  scheduled: number,
  held: number,
  held_by: optional(text),
  in_per_second: measure,
  out_per_second: measure,
  retries_per_second: measure,
  failures_per_second: measure,
  handler_p50_ms: optional(number),
  handler_p99_ms: optional(number),
  transit_p99_ms: optional(number),
  succeeded_total: number,
  failed_total: number,
  retries_total: number,
  dead_lettered_total: number,
  dead_letters: number,
  needs: list(text),
});

export const dependency = object({
  name: text,
  state: word(BREAKER_STATES, 'unknown'),
  since_ms: number,
  probes_at_ms: optional(number),
  calls: number,
  failure_rate: measure,
  threshold: measure,
  opened_total: number,
  consumers: list(text),
});

/** Whether a breaker is a consumer's own, whose `needs` name none: it has the consumer's name. */
export function isOwnBreaker(name: string): boolean {
  return name.includes('/');
}

export const system = object({
  schema: text,
  system: text,
  time_ms: number,
  uptime_seconds: measure,
  broker: text,
  mode: word(MODES, 'running'),
  totals,
  attention: list(attention),
  services: list(service),
  events: list(event),
  consumers: list(consumer),
  dependencies: list(dependency),
});

const series = list(optional(number));

export const history = object({
  schema: text,
  step_seconds: number,
  times_ms: list(number),
  totals: object({
    in_per_second: series,
    out_per_second: series,
    backlog: series,
    dead_letters: series,
    retries_per_second: series,
  }),
  consumers: dictionary(
    object({ lag_seconds: series, in_per_second: series, out_per_second: series, backlog: series }),
  ),
});

const letterFields = {
  id: text,
  consumer: text,
  event_id: text,
  source: text,
  key: optional(text),
  reason: text,
  error: text,
  group: text,
  attempts: number,
  redrives: number,
  followers: number,
  accepted_ms: number,
  dead_ms: number,
};

export const letter = object(letterFields);

export const group = object({
  group: text,
  consumer: text,
  reason: text,
  error: text,
  count: number,
  first_ms: number,
  last_ms: number,
});

export const attempt = object({
  attempt: number,
  started_ms: number,
  duration_ms: optional(number),
  outcome: text,
  error: optional(text),
  rule: optional(text),
});

export const letterDetail = object({ ...letterFields, event: anything, history: list(attempt) });

export const letterPage = object({ letters: list(letter), groups: list(group), total: number });

export const redriveResult = object({
  redriven: number,
  refused: list(object({ id: text, reason: text })),
});

/** A redrive job: how far it is, and what it waits for. */
export const redriveJob = object({
  id: number,
  note: text,
  created_ms: number,
  state: word(['running', 'paused', 'stopped', 'cancelled', 'done'], 'unknown'),
  reason: optional(text),
  held_by: optional(text),
  letters: number,
  waiting: number,
  sent: number,
  verified: number,
  failed: number,
  skipped: number,
  consumers: list(text),
});

export const redriveJobs = object({ redrives: list(redriveJob) });

export type SystemView = Decoded<typeof system>;
export type TotalsView = Decoded<typeof totals>;
export type Attention = Decoded<typeof attention>;
export type ServiceView = Decoded<typeof service>;
export type EventView = Decoded<typeof event>;
export type ConsumerView = Decoded<typeof consumer>;
export type ConsumerState = ConsumerView['state'];
export type DependencyView = Decoded<typeof dependency>;
export type BreakerState = DependencyView['state'];
export type History = Decoded<typeof history>;
export type DeadLetter = Decoded<typeof letter>;
export type DeadLetterGroup = Decoded<typeof group>;
export type Attempt = Decoded<typeof attempt>;
export type DeadLetterDetail = Decoded<typeof letterDetail>;
export type DeadLetterPage = Decoded<typeof letterPage>;
export type RedriveJob = Decoded<typeof redriveJob>;
export type RedriveResult = Decoded<typeof redriveResult>;
