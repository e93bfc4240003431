import { describe, expect, test } from 'vitest';
import { ago, coarse, count, drainTime, exact, milliseconds, moment, percent, plural, rate, seconds, times } from './format';

/** What people read has spaces that do not break; here they are plain. */
const plain = (text: string): string => text.replaceAll('\u00a0', ' ');

describe('seconds', () => {
  test.each([
    [0, '0 s'],
    [-3, '0 s'],
    [0.0004, '1 ms'],
    [0.05, '50 ms'],
    [0.095, '0.1 s'],
    [0.42, '0.4 s'],
    [9.94, '9.9 s'],
    [9.96, '10 s'],
    [59.4, '59 s'],
    [59.6, '1 min'],
    [252, '4 min 12 s'],
    [3599.6, '1 h'],
    [7800, '2 h 10 min'],
    [86_399, '1 d'],
    [273_600, '3 d 4 h'],
  ])('%s is %s', (value, words) => expect(plain(seconds(value))).toBe(words));

  test('never has a sixtieth second, minute or a twenty-fourth hour', () => {
    for (let value = 0; value < 200_000; value += 7.3) {
      expect(plain(seconds(value))).not.toMatch(/\b60 (s|min)\b|\b24 h\b/);
    }
  });
});

test.each([
  [0, '0/s'],
  [0.004, '<0.01/s'],
  [0.4, '0.4/s'],
  [12.34, '12.3/s'],
  [999, '999/s'],
  [999.7, '1 k/s'],
  [1234, '1.23 k/s'],
  [999_960, '1 M/s'],
  [3_400_000, '3.4 M/s'],
])('a rate of %s is %s', (value, words) => expect(plain(rate(value))).toBe(words));

test.each([
  [0, '0'],
  [48_210, '48,210'],
  [99_999, '99,999'],
  [100_000, '100 k'],
  [1_332_902, '1.33 M'],
  [7_000_000_000, '7 G'],
])('a count of %s is %s', (value, words) => expect(plain(count(value))).toBe(words));

test.each([
  [0, '0 ms'],
  [0.004, '0.01 ms'],
  [0.42, '0.42 ms'],
  [92.14, '92.1 ms'],
  [412, '412 ms'],
  [999.6, '1 s'],
  [1830, '1.83 s'],
  [254_000, '4 min 14 s'],
])('%s milliseconds are %s', (value, words) => expect(plain(milliseconds(value))).toBe(words));

test('shares never round to none or all when they are not', () => {
  expect(percent(0)).toBe('0%');
  expect(percent(0.0001)).toBe('<1%');
  expect(percent(0.62)).toBe('62%');
  expect(percent(0.9999)).toBe('>99%');
  expect(percent(1)).toBe('100%');
});

test('a multiple of the objective', () => {
  expect([0, 0.02, 0.42, 8.44, 12.6, 5000].map(times)).toEqual(['0×', '<0.1×', '0.4×', '8.4×', '13×', '>999×']);
  expect(times(Number.POSITIVE_INFINITY)).toBe('—');
});

test('what is not known is a dash, whatever the unit', () => {
  for (const format of [seconds, rate, count, exact, milliseconds, percent, times, coarse]) {
    expect(format(Number.NaN)).toBe('—');
    expect(format(null as unknown as number)).toBe('—');
  }
});

test('draining', () => {
  expect(drainTime(null, 0)).toBe('—');
  expect(drainTime(null, 5)).toBe('never');
  expect(plain(drainTime(19, 2910))).toBe('19 s');
});

test('times of day have their date when they are old', () => {
  const noon = new Date(2026, 2, 10, 12, 0, 5).getTime();
  expect(moment(noon, noon + 60_000)).toBe('12:00:05');
  expect(moment(noon, noon + 50 * 3600_000)).toBe('10 Mar, 12:00');
  expect(ago(noon, noon + 400)).toBe('just now');
  expect(plain(ago(noon, noon + 125_000))).toBe('2 min ago');
});

test('one and many', () => {
  expect(plural(1, 'dead letter')).toBe('1 dead letter');
  expect(plural(1200, 'dead letter')).toBe('1,200 dead letters');
  expect(plural(0, 'dependency', 'dependencies')).toBe('0 dependencies');
});
