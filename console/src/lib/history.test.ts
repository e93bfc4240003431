import { describe, expect, test } from 'vitest';
import { minutes } from './chart';
import { exampleConsumer, exampleSystem } from './examples';
import { HistoryBuffer, STEPS_MAX } from './history';
import { peaks, sparkline } from './sparkline';
import type { History } from './view';

function at(second: number, lag = 1): ReturnType<typeof exampleSystem> {
  return exampleSystem({ time_ms: second * 1000, consumers: [exampleConsumer('a/E', { lag_seconds: lag })] });
}

function recorded(times: number[]): History {
  const series = times.map((time) => time);
  return {
    schema: 'tidegate/history/v1', step_seconds: 1, times_ms: times.map((time) => time * 1000),
    totals: { in_per_second: series, out_per_second: series, backlog: series, dead_letters: series, retries_per_second: series },
    consumers: new Map([['a/E', { lag_seconds: series.slice(1), in_per_second: series, out_per_second: series, backlog: series }]]),
  };
}

describe('the history', () => {
  test('goes on from what was loaded; short series end now', () => {
    const buffer = new HistoryBuffer();
    buffer.load(recorded([10, 11, 12]));
    buffer.append(at(13, 9));
    expect(buffer.times).toEqual([10, 11, 12, 13]);
    expect(buffer.consumer('a/E').lag_seconds).toEqual([null, 11, 12, 9]);
    expect(buffer.totals.backlog).toEqual([10, 11, 12, 0]);
  });

  test('takes no snapshot twice and none from the past', () => {
    const buffer = new HistoryBuffer();
    for (const second of [5, 5, 4, 6]) buffer.append(at(second));
    expect(buffer.times).toEqual([5, 6]);
  });

  test('breaks the line where nothing was heard', () => {
    const buffer = new HistoryBuffer();
    for (const second of [1, 2, 60]) buffer.append(at(second));
    expect(buffer.times).toEqual([1, 2, 3, 60]);
    expect(buffer.consumer('a/E').lag_seconds).toEqual([1, 1, null, 1]);
  });

  test('keeps all series as long as the times when consumers come and go', () => {
    const buffer = new HistoryBuffer();
    buffer.append(exampleSystem({ time_ms: 1000 }));
    buffer.append(at(2));
    buffer.append(exampleSystem({ time_ms: 3000, consumers: [exampleConsumer('b/E', { lag_seconds: 4 })] }));
    expect(buffer.consumer('a/E').lag_seconds).toEqual([null, 1, null]);
    expect(buffer.consumer('b/E').lag_seconds).toEqual([null, null, 4]);
    expect(buffer.consumer('nobody/E').backlog).toEqual([null, null, null]);
  });

  test('has a limit', () => {
    const buffer = new HistoryBuffer();
    for (let second = 1; second <= STEPS_MAX + 50; second += 1) buffer.append(at(second));
    expect(buffer.times).toHaveLength(STEPS_MAX);
    expect(buffer.times[0]).toBe(51);
    expect(buffer.consumer('a/E').backlog).toHaveLength(STEPS_MAX);
    expect(buffer.totals.backlog).toHaveLength(STEPS_MAX);
    buffer.load(recorded(Array.from({ length: STEPS_MAX + 7 }, (_, step) => step)));
    expect(buffer.times).toHaveLength(STEPS_MAX);
  });

  test('finds where a window starts', () => {
    const buffer = new HistoryBuffer();
    expect(buffer.start(60)).toBe(0);
    for (const second of [1, 2, 3, 4]) buffer.append(at(second));
    expect(buffer.start(2)).toBe(1);
    expect(buffer.start(900)).toBe(0);
  });

  test('what is not finite is a gap', () => {
    const buffer = new HistoryBuffer();
    buffer.append(at(1, Number.NaN));
    expect(buffer.consumer('a/E').lag_seconds).toEqual([null]);
  });
});

test('the table has the mean of each minute, the newest first', () => {
  const line = { label: 'x', colour: '--in', values: [1, 3, null, 8] };
  expect(minutes([60, 61, 62, 121], [line])).toEqual([{ time: 120, means: [8] }, { time: 60, means: [2] }]);
});

describe('a sparkline', () => {
  test('loses no peak', () => {
    const series = Array.from({ length: 900 }, (_, step) => (step === 457 ? 99 : 0));
    expect(Math.max(...peaks(series, 60).map((value) => value ?? 0))).toBe(99);
    expect(peaks(series, 60)).toHaveLength(60);
    expect(peaks([null, null, 3, null], 2)).toEqual([null, 3]);
  });

  test('has the objective at the same height as long as the lag is below it', () => {
    expect(sparkline([1, 2], 10, 80, 20).limit).toBe(sparkline([9, 0], 10, 80, 20).limit);
    expect(sparkline([1, 2], 10, 80, 20).over).toBe('');
    expect(sparkline([1, 20, 30], 10, 80, 20).over).not.toBe('');
  });

  test('of nothing draws nothing', () => {
    expect(sparkline([], 10, 80, 20)).toMatchObject({ line: '', over: '', area: '' });
    expect(sparkline([null, null], 0, 80, 20).line).toBe('');
  });
});
