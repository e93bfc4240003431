/** The words for states, how bad each is, and what each means. One place, so that map, table and panel agree. */

import type { BreakerState, ConsumerState } from './view';

/** How bad, from worst to best; `none` is nothing to judge. */
export type Severity = 'error' | 'warning' | 'ok' | 'none';

const RANKS: Record<Severity, number> = { error: 3, warning: 2, ok: 1, none: 0 };

/** Larger is worse. */
export function severityRank(severity: Severity): number {
  return RANKS[severity];
}

export function worst(severities: Iterable<Severity>): Severity {
  let found: Severity = 'none';
  for (const severity of severities) if (RANKS[severity] > RANKS[found]) found = severity;
  return found;
}

interface Word {
  word: string;
  severity: Severity;
  meaning: string;
}

export const CONSUMER_WORDS: Record<ConsumerState, Word> = {
  ok: { word: 'ok', severity: 'ok', meaning: 'Within its objective.' },
  idle: { word: 'idle', severity: 'none', meaning: 'Nothing to do.' },
  'catching-up': { word: 'catching up', severity: 'warning', meaning: 'Beyond its objective, and the backlog shrinks.' },
  'falling-behind': { word: 'falling behind', severity: 'error', meaning: 'Beyond its objective, and the backlog does not shrink.' },
  held: { word: 'held', severity: 'warning', meaning: 'Held by an open breaker, a pause, or a handler that asked for time; no attempts are spent.' },
  halted: { word: 'halted', severity: 'error', meaning: 'Stopped by a fault of its endpoint or by its dead-letter limit.' },
  stalled: { word: 'stalled', severity: 'error', meaning: 'There is a backlog, nothing runs and nothing holds it.' },
  unknown: { word: 'unknown', severity: 'none', meaning: 'A state that this console does not know.' },
};

export const BREAKER_WORDS: Record<BreakerState, Word> = {
  closed: { word: 'closed', severity: 'ok', meaning: 'Calls go through.' },
  'half-open': { word: 'half-open', severity: 'warning', meaning: 'A few calls probe whether it is back.' },
  open: { word: 'open', severity: 'error', meaning: 'Deliveries that need it are held.' },
  unknown: { word: 'unknown', severity: 'none', meaning: 'A state that this console does not know.' },
};

/** Why a delivery became a dead letter. */
export const LETTER_REASONS: Record<string, string> = {
  permanent: 'The handler said that it will never succeed.',
  exhausted: 'All its attempts failed.',
  expired: 'It was not done before its time was over.',
  crash: 'The handler crashed on it again and again.',
  rule: 'The design gives such failures up at once.',
};
