/** Small snapshots for unit tests. */

import type { ConsumerView, SystemView } from './view';

export function exampleConsumer(id: string, own: Partial<ConsumerView> = {}): ConsumerView {
  const [service = '', event = ''] = id.split('/');
  return {
    id, service, event,
    state: 'ok', state_since_ms: 0, reason: 'It keeps up.', mode: 'push',
    lag_seconds: 0, objective_seconds: 10, backlog: 0, drain_seconds: 0,
    in_flight: 0, concurrency: 4, waiting_retry: 0, scheduled: 0, held: 0, held_by: null,
    in_per_second: 0, out_per_second: 0, retries_per_second: 0, failures_per_second: 0,
    handler_p50_ms: null, handler_p99_ms: null, transit_p99_ms: null,
    succeeded_total: 0, failed_total: 0, retries_total: 0, dead_lettered_total: 0, dead_letters: 0,
    needs: [],
    ...own,
  };
}

export function exampleSystem(own: Partial<SystemView> = {}): SystemView {
  return {
    schema: 'tidegate/state/v1', system: 'example', time_ms: 1_000_000, uptime_seconds: 5, broker: 'embedded log', mode: 'running',
    totals: { in_per_second: 0, out_per_second: 0, retries_per_second: 0, backlog: 0, in_flight: 0, dead_letters: 0 },
    attention: [], services: [], events: [], consumers: [], dependencies: [],
    ...own,
  };
}

/** orders → OrderPlaced → billing, search; billing → PaymentCaptured → orders (a circle); billing needs payments-api. */
export function exampleShop(): SystemView {
  return exampleSystem({
    services: [
      { name: 'orders', owner: null, publishes: ['OrderPlaced'], consumes: ['PaymentCaptured'] },
      { name: 'billing', owner: 'team-billing', publishes: ['PaymentCaptured'], consumes: ['OrderPlaced'] },
      { name: 'search', owner: null, publishes: [], consumes: ['OrderPlaced'] },
    ],
    events: [
      { name: 'OrderPlaced', summary: null, accepted_total: 9, invalid_total: 0, in_per_second: 120 },
      { name: 'PaymentCaptured', summary: null, accepted_total: 9, invalid_total: 0, in_per_second: 0 },
    ],
    consumers: [
      exampleConsumer('billing/OrderPlaced', { state: 'falling-behind', lag_seconds: 4, objective_seconds: 2, out_per_second: 5, needs: ['payments-api'], dead_letters: 3 }),
      exampleConsumer('search/OrderPlaced', { lag_seconds: 1, objective_seconds: 4, out_per_second: 1500 }),
      exampleConsumer('orders/PaymentCaptured', { state: 'idle' }),
    ],
    dependencies: [
      { name: 'payments-api', state: 'half-open', since_ms: 0, probes_at_ms: null, calls: 9, failure_rate: 0.2, threshold: 0.5, opened_total: 1, consumers: ['billing/OrderPlaced'] },
    ],
  });
}
