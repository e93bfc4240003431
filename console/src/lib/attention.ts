/** Where a sentence of what needs attention leads, and what is said when nothing does. Pure. */

import { plural, seconds } from './format';
import { href } from './router.svelte';
import { freshness } from './urgency';
import type { Attention, SystemView } from './view';

/** The page that shows the cause, with the words of the link; `null` when no page does. */
export function leadsTo(item: Attention): { address: string; words: string } | null {
  switch (item.kind) {
    case 'consumer':
      return { address: href('consumers', { open: item.name }), words: `Open ${item.name}` };
    case 'dependency':
      return { address: href('flow', { node: `dependency:${item.name}` }), words: `Show ${item.name} on the map` };
    case 'dead-letters':
      return { address: href('dead-letters', { consumer: item.name }), words: 'Look at the dead letters' };
    default:
      return null;
  }
}

/** All is well, with the worst margin. */
export function allIsWell(view: SystemView): { title: string; margin: string } {
  const consumers = view.consumers;
  if (consumers.length === 0) {
    return { title: 'Nothing needs attention', margin: 'The design has no consumers yet: add one under a service, in “consumes”.' };
  }
  const title = consumers.length === 1 ? 'The consumer is within its objective' : `All ${plural(consumers.length, 'consumer')} are within their objectives`;
  const worst = consumers.reduce((most, consumer) => (freshness(consumer) > freshness(most) ? consumer : most));
  const margin =
    freshness(worst) === 0
      ? 'None of them is behind at all.'
      : `Closest to its limit: ${worst.id}, ${seconds(worst.lag_seconds)} of ${seconds(worst.objective_seconds)}.`;
  return { title, margin };
}
