import { describe, expect, test } from 'vitest';
import { decode } from './api';
import { progress, turns } from './redrive';
import { redriveJobs, type RedriveJob } from './view';

/** As the daemon answers, with more than the console reads. */
const sent = {
  redrives: [
    { id: 1, note: '', created_ms: 1, state: 'stopped', reason: 'every letter of the first step failed again', held_by: null, rate: 10, canary: true, stop_at: 0.1, stop_minimum: 10, letters: 12, waiting: 10, sent: 0, verified: 0, failed: 1, skipped: 1, consumers: ['billing/OrderPlaced'] },
  ],
};

function job(over: Partial<RedriveJob> = {}): RedriveJob {
  const read = decode(redriveJobs, sent).redrives[0];
  return read === undefined ? expect.fail('there is one') : { ...read, ...over };
}

describe('a redrive job', () => {
  test('says how far it is, without what is nothing', () => {
    expect(progress(job())).toBe('0 of 12 letters verified, 1 failed again, 1 passed over, 10 waiting');
    expect(progress(job({ letters: 1, verified: 1, failed: 0, skipped: 0, waiting: 0 }))).toBe('1 of 1 letter verified');
  });

  test.each([
    ['running', ['pause', 'cancel']],
    ['paused', ['resume', 'cancel']],
    ['stopped', ['resume', 'cancel']],
    ['cancelled', []],
    ['done', []],
    ['unknown', ['cancel']],
  ] as const)('that is %s can be turned by %j', (state, expected) => {
    expect(turns(job({ state }))).toEqual(expected);
  });

  test('of a newer daemon may have a state that is not known', () => {
    const newer = { redrives: [{ ...sent.redrives[0], state: 'sleeping' }] };
    expect(decode(redriveJobs, newer).redrives[0]?.state).toBe('unknown');
  });
});
