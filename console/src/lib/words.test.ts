import { beforeAll, describe, expect, test, vi } from 'vitest';
import { changes } from './announce';
import { eventParts, hexDump } from './cloudevent';
import { exampleConsumer, exampleShop, exampleSystem } from './examples';
import { outcome, question, risks, type RedrivePlan } from './redrive';
import type { DeadLetter } from './view';

describe('what screen readers are told', () => {
  test('numbers are no news', () => {
    const after = exampleShop();
    for (const consumer of after.consumers) consumer.lag_seconds += 50;
    expect(changes(exampleShop(), after)).toBeNull();
  });

  test('states are, but not that work ran out', () => {
    const [before, after] = [exampleShop(), exampleShop()];
    Object.assign(after.consumers[0] ?? {}, { state: 'ok' });
    Object.assign(after.consumers[1] ?? {}, { state: 'idle' });
    Object.assign(after.dependencies[0] ?? {}, { state: 'open' });
    expect(changes(before, after)).toBe('billing/OrderPlaced is ok. Breaker payments-api is open.');
  });

  test('many at once are counted', () => {
    const many = (state: 'ok' | 'held') => exampleSystem({ consumers: ['a', 'b', 'c', 'd'].map((name) => exampleConsumer(`${name}/E`, { state })) });
    expect(changes(many('ok'), many('held'))).toBe('4 states changed.');
  });
});

describe('a redrive', () => {
  const letter: DeadLetter = { id: 'billing/OrderPlaced/1', consumer: 'billing/OrderPlaced', event_id: 'x', source: '/s', key: 'k', reason: 'permanent', error: 'no', group: 'g', attempts: 1, redrives: 1, followers: 2, accepted_ms: 1, dead_ms: 2 };
  const plan: RedrivePlan = { target: { ids: [letter.id] }, consumer: letter.consumer, count: 1, letters: [letter] };

  test('asks with its count', () => {
    expect(question(plan)).toBe('Redrive 1 dead letter of billing/OrderPlaced?');
    expect(question({ ...plan, count: 1200 })).toBe('Redrive 1,200 dead letters of billing/OrderPlaced?');
  });

  test('names the breaker, doubled work, loops and what waits behind', () => {
    const text = risks(plan, exampleShop()).join('\n');
    expect(text).toContain('The breaker payments-api is half-open');
    expect(text).toContain('part of the work');
    expect(text).toContain('1 of them has been redriven before');
    expect(text).toContain('2 later deliveries of the same keys wait behind');
  });

  test('does not claim to know letters that the page has not loaded', () => {
    expect(risks({ ...plan, count: 9 }, exampleShop()).join('\n')).toContain('At least 2 later deliveries');
  });

  test('has risks even when the consumer is not known', () => {
    expect(risks({ ...plan, letters: [], consumer: 'gone/E' }, exampleSystem())).toHaveLength(1);
  });

  test('says what became of it', () => {
    expect(outcome({ redriven: 3, refused: [] })).toContain('3 dead letters redriven.');
    expect(outcome({ redriven: 0, refused: [] })).toBe('There was nothing to redrive: it was done already.');
    expect(outcome({ redriven: 1, refused: [{ id: 'a', reason: 'b' }] })).toBe('1 dead letter redriven. 1 refused.');
  });
});

describe('an event', () => {
  test('has its required attributes first and its payload apart', () => {
    const parts = eventParts({ traceparent: 't', type: 'E', id: '7', data: { a: 1 }, n: 5 });
    expect(parts.attributes).toEqual([{ name: 'id', value: '7' }, { name: 'type', value: 'E' }, { name: 'n', value: '5' }, { name: 'traceparent', value: 't' }]);
    expect(parts).toMatchObject({ kind: 'JSON', payload: '{\n  "a": 1\n}' });
  });

  test.each([
    [{ data: 'plain words' }, 'text', 'plain words'],
    [{ data: '{"a":1}' }, 'JSON', '{\n  "a": 1\n}'],
    [{ data: '{broken' }, 'text', '{broken'],
    [{ data: 0 }, 'JSON', '0'],
    [{ data: null }, 'none', ''],
    [{}, 'none', ''],
    [{ data_base64: btoa('{"b":2}') }, 'JSON', '{\n  "b": 2\n}'],
    [{ data_base64: btoa('\xff\xfe\x00A') }, 'binary', `000000  ${'ff fe 00 41'.padEnd(47)}  ...A`],
    [{ data_base64: '*not base64*' }, 'text', '*not base64*'],
    [[1], 'JSON', '[\n  1\n]'],
    [undefined, 'JSON', ''],
  ])('the payload of %j is %s', (event, kind, payload) => {
    expect(eventParts(event)).toMatchObject({ kind, payload });
  });

  test('a long binary payload is cut', () => {
    const dump = hexDump(new Uint8Array(5000));
    expect(dump.split('\n')).toHaveLength(257);
    expect(dump).toContain('904 bytes more');
  });
});

describe('addresses', () => {
  let router: typeof import('./router.svelte');
  let attention: typeof import('./attention');
  beforeAll(async () => {
    vi.stubGlobal('location', { hash: '' });
    router = await import('./router.svelte');
    attention = await import('./attention');
  });

  test('are read back as they were written', () => {
    const address = router.href('dead-letters', { consumer: 'billing/OrderPlaced', group: 'a b&c=d?#', letter: null });
    const place = router.parseHash(address);
    expect(place.page).toBe('dead-letters');
    expect(Object.fromEntries(place.parameters)).toEqual({ consumer: 'billing/OrderPlaced', group: 'a b&c=d?#' });
    expect(address).toContain('consumer=billing/OrderPlaced');
  });

  test.each(['', '#', '#/', '#/nowhere', '#/constructor', '#content'])('%j leads to the first page', (hash) => {
    expect(router.parseHash(hash).page).toBe('now');
  });

  test('a sentence leads to its cause', () => {
    const item = { severity: 'error', sentence: 's', name: 'billing/OrderPlaced', since_ms: 0 } as const;
    expect(attention.leadsTo({ ...item, kind: 'consumer' })?.address).toBe('#/consumers?open=billing/OrderPlaced');
    expect(attention.leadsTo({ ...item, kind: 'dead-letters' })?.address).toBe('#/dead-letters?consumer=billing/OrderPlaced');
    expect(attention.leadsTo({ ...item, kind: 'dependency', name: 'payments-api' })?.address).toBe('#/flow?node=dependency:payments-api');
    expect(attention.leadsTo({ ...item, kind: 'system' })).toBeNull();
  });

  test('when all is well, the worst margin is said', () => {
    const consumers = [exampleConsumer('a/E', { lag_seconds: 1 }), exampleConsumer('b/E', { lag_seconds: 3, objective_seconds: 5 })];
    expect(attention.allIsWell(exampleSystem({ consumers })).title).toBe('All 2 consumers are within their objectives');
    expect(attention.allIsWell(exampleSystem({ consumers })).margin.replaceAll('\u00a0', ' ')).toBe('Closest to its limit: b/E, 3 s of 5 s.');
    expect(attention.allIsWell(exampleSystem()).margin).toContain('no consumers yet');
  });
});
