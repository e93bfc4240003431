import { describe, expect, test } from 'vitest';
import { ApiError, decode, decodeError, decodeState, letterPath, lettersPath } from './api';
import { exampleShop } from './examples';
import { history, letterDetail, letterPage, redriveResult } from './view';

/** A snapshot as it comes: through JSON. */
const sent = (): Record<string, unknown> => JSON.parse(JSON.stringify(exampleShop())) as Record<string, unknown>;

function failure(run: () => unknown): ApiError {
  try {
    run();
  } catch (problem) {
    if (problem instanceof ApiError) return problem;
    throw problem;
  }
  return expect.fail('it was read');
}

describe('a snapshot', () => {
  test('is read field by field', () => {
    expect(decodeState(sent())).toEqual(exampleShop());
  });

  test('may have more fields than are known', () => {
    expect(decodeState({ ...sent(), later: 1 })).toEqual(exampleShop());
  });

  test('of another interface is refused in words', () => {
    const problem = failure(() => decodeState({ ...sent(), schema: 'tidegate/state/v2' }));
    expect(problem.message).toBe('The daemon speaks tidegate/state/v2; this console reads tidegate/state/v1.');
    expect(problem.hint).toContain('Reload');
  });

  test('with a wrong field names it', () => {
    const view = sent();
    ((view['consumers'] as Record<string, unknown>[])[1] ?? {})['lag_seconds'] = '3';
    expect(failure(() => decodeState(view)).message).toContain('consumers[1].lag_seconds is a string, not a number');
  });

  test('with a missing field names it', () => {
    const { totals: _, ...view } = sent();
    expect(failure(() => decodeState(view)).message).toContain('totals is missing, not an object');
  });

  test('has null where a measure is not finite: it is unknown, not nothing', () => {
    const view = sent();
    ((view['consumers'] as Record<string, unknown>[])[0] ?? {})['lag_seconds'] = null;
    expect(decodeState(view).consumers[0]?.lag_seconds).toBeNaN();
  });

  test('may have states that a newer daemon added', () => {
    const view = sent();
    ((view['consumers'] as Record<string, unknown>[])[0] ?? {})['state'] = 'throttled';
    ((view['dependencies'] as Record<string, unknown>[])[0] ?? {})['state'] = 'forced-open';
    expect(decodeState(view).consumers[0]?.state).toBe('unknown');
    expect(decodeState(view).dependencies[0]?.state).toBe('unknown');
  });

  test.each([null, 3, 'state', [], {}])('that is %j is refused', (json) => {
    expect(failure(() => decodeState(json)).code).toBe('unreadable');
  });
});

describe('other answers', () => {
  test('a history has its series, with gaps', () => {
    const series = [1, null];
    const totals = { in_per_second: series, out_per_second: series, backlog: series, dead_letters: series, retries_per_second: series };
    const read = decode(history, { schema: 'tidegate/history/v1', step_seconds: 1, times_ms: [1000, 2000], totals, consumers: { 'a/E': { lag_seconds: series, in_per_second: series, out_per_second: series, backlog: series } } });
    expect(read.consumers.get('a/E')?.lag_seconds).toEqual([1, null]);
  });

  const letter = { id: 'a/E/7', consumer: 'a/E', event_id: 'x', source: '/s', key: null, reason: 'permanent', error: 'no', group: 'g', attempts: 1, redrives: 0, followers: 0, accepted_ms: 1, dead_ms: 2 };

  test('dead letters', () => {
    expect(decode(letterPage, { letters: [letter], groups: [], total: 1 }).letters[0]?.key).toBeNull();
    const detail = decode(letterDetail, { ...letter, event: { data: 5 }, history: [{ attempt: 1, started_ms: 1, duration_ms: null, outcome: 'crash', error: null }] });
    expect(detail.history[0]?.duration_ms).toBeNull();
    expect(detail.event).toEqual({ data: 5 });
  });

  test('a redrive', () => {
    expect(decode(redriveResult, { redriven: 2, refused: [{ id: 'a/E/1', reason: 'gone' }] }).refused[0]?.reason).toBe('gone');
  });

  test('errors are in the words of the daemon, or say the status', () => {
    const told = decodeError(409, { error: { code: 'halted', message: 'The consumer is halted.', hint: 'Mend it first.' } });
    expect([told.code, told.message, told.hint, told.status]).toEqual(['halted', 'The consumer is halted.', 'Mend it first.', 409]);
    for (const body of [null, 'oops', {}, { error: 'x' }, { error: { code: 1 } }]) {
      expect(decodeError(502, body).message).toBe('The daemon answered with status 502.');
    }
  });
});

test('paths keep slashes between the parts of an id and hide what else is special', () => {
  expect(letterPath('billing/OrderPlaced/17')).toBe('v1/dead-letters/billing/OrderPlaced/17');
  expect(letterPath('a b/E?/1')).toBe('v1/dead-letters/a%20b/E%3F/1');
  expect(lettersPath({})).toBe('v1/dead-letters?limit=100');
  expect(lettersPath({ consumer: 'a/E', group: 'x&y', after: 'a/E/3', limit: 5 })).toBe('v1/dead-letters?consumer=a%2FE&group=x%26y&limit=5&after=a%2FE%2F3');
});
