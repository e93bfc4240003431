/** Sentences for screen readers: what changed between two snapshots. Numbers alone are not news. */

import { plural } from './format';
import type { SystemView } from './view';
import { BREAKER_WORDS, CONSUMER_WORDS } from './words';

/** More changes than this at once are counted instead of told. */
const TOLD_MAX = 3;

/** The changes of state between two snapshots, or `null` when there are none. `ok` and `idle` are the same news. */
export function changes(before: SystemView, after: SystemView): string | null {
  const sentences = [...consumerChanges(before, after), ...breakerChanges(before, after)];
  if (before.mode !== after.mode) sentences.unshift(`The system is ${after.mode}.`);
  if (sentences.length === 0) return null;
  return sentences.length <= TOLD_MAX ? sentences.join(' ') : `${plural(sentences.length, 'state')} changed.`;
}

function consumerChanges(before: SystemView, after: SystemView): string[] {
  const states = new Map(before.consumers.map((consumer) => [consumer.id, consumer.state]));
  return after.consumers.flatMap((consumer) => {
    const old = states.get(consumer.id);
    if (old === undefined || calm(old) === calm(consumer.state)) return [];
    return [`${consumer.id} is ${CONSUMER_WORDS[consumer.state].word}.`];
  });
}

function calm(state: keyof typeof CONSUMER_WORDS): string {
  return state === 'idle' ? 'ok' : state;
}

function breakerChanges(before: SystemView, after: SystemView): string[] {
  const states = new Map(before.dependencies.map((dependency) => [dependency.name, dependency.state]));
  return after.dependencies.flatMap((dependency) => {
    const old = states.get(dependency.name);
    if (old === undefined || old === dependency.state) return [];
    return [`Breaker ${dependency.name} is ${BREAKER_WORDS[dependency.state].word}.`];
  });
}
