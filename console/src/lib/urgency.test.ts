import { describe, expect, test } from 'vitest';
import { exampleConsumer, exampleSystem } from './examples';
import { SORTS, byUrgency, freshness, isSortKey, matches, ranked, sorted, type SortKey } from './urgency';

const ids = (consumers: { id: string }[]): string[] => consumers.map((consumer) => consumer.id);

describe('urgency', () => {
  test('is lag over objective, not lag alone', () => {
    const consumers = [exampleConsumer('slow/E', { lag_seconds: 100, objective_seconds: 1000 }), exampleConsumer('quick/E', { lag_seconds: 3, objective_seconds: 1 })];
    expect(ids(ranked(exampleSystem({ consumers })))).toEqual(['quick/E', 'slow/E']);
  });

  test('puts one that cannot go on by itself with those at their limit', () => {
    const consumers = [
      exampleConsumer('near/E', { lag_seconds: 9 }),
      exampleConsumer('halted/E', { state: 'halted', lag_seconds: 0.1 }),
      exampleConsumer('beyond/E', { lag_seconds: 11, state: 'falling-behind' }),
    ];
    expect(ids(ranked(exampleSystem({ consumers })))).toEqual(['beyond/E', 'halted/E', 'near/E']);
  });

  test('ties go by severity, backlog, then name', () => {
    const consumers = [
      exampleConsumer('d/E'),
      exampleConsumer('c/E', { backlog: 5 }),
      exampleConsumer('b/E', { state: 'held' }),
      exampleConsumer('a/E'),
    ];
    expect(ids([...consumers].sort(byUrgency))).toEqual(['b/E', 'c/E', 'a/E', 'd/E']);
  });

  test('of odd numbers', () => {
    expect(freshness({ lag_seconds: 0, objective_seconds: 0 })).toBe(0);
    expect(freshness({ lag_seconds: 1, objective_seconds: 0 })).toBe(Number.POSITIVE_INFINITY);
    expect(freshness({ lag_seconds: Number.NaN, objective_seconds: 5 })).toBe(0);
    const endless = [exampleConsumer('b/E', { lag_seconds: 1, objective_seconds: 0 }), exampleConsumer('a/E', { lag_seconds: 2, objective_seconds: 0 })];
    expect(ids([...endless].sort(byUrgency))).toEqual(['a/E', 'b/E']);
  });
});

describe('sorting', () => {
  const consumers = [
    exampleConsumer('b/E', { backlog: 3, drain_seconds: null, handler_p99_ms: 5 }),
    exampleConsumer('a/E', { backlog: 8, drain_seconds: 900 }),
    exampleConsumer('c/E', { lag_seconds: Number.NaN }),
  ];

  test('what never drains is longest, what has no backlog shortest', () => {
    expect(ids(sorted(consumers, 'drain', 'descending'))).toEqual(['b/E', 'a/E', 'c/E']);
  });

  test('what is not known is last, both ways', () => {
    expect(sorted(consumers, 'lag', 'ascending').at(-1)?.id).toBe('c/E');
    expect(sorted(consumers, 'lag', 'descending').at(-1)?.id).toBe('c/E');
  });

  test('words go by the alphabet', () => {
    expect(ids(sorted(consumers, 'consumer', 'ascending'))).toEqual(['a/E', 'b/E', 'c/E']);
    expect(ids(sorted(consumers, 'consumer', 'descending'))).toEqual(['c/E', 'b/E', 'a/E']);
  });

  test('every column sorts all rows, and changes nothing', () => {
    const before = ids(consumers);
    for (const key of Object.keys(SORTS) as SortKey[]) {
      for (const direction of ['ascending', 'descending'] as const) {
        expect(ids(sorted(consumers, key, direction)).sort()).toEqual(['a/E', 'b/E', 'c/E']);
      }
    }
    expect(ids(consumers)).toEqual(before);
  });

  test('a column of the address must be one', () => {
    expect(isSortKey('lag')).toBe(true);
    for (const other of [null, '', 'toString', 'constructor', 'Lag']) expect(isSortKey(other)).toBe(false);
  });
});

test('a search has every word in the name, the state or the needs', () => {
  const consumer = exampleConsumer('billing/OrderPlaced', { state: 'falling-behind', needs: ['payments-api'] });
  expect(matches(consumer, '')).toBe(true);
  expect(matches(consumer, 'ORDER bill')).toBe(true);
  expect(matches(consumer, 'falling payments')).toBe(true);
  expect(matches(consumer, 'order search')).toBe(false);
});
