/** What a redrive is about to do, in words: how many, and what can go wrong. Pure. */

import type { RedriveTarget, Turn } from './api';
import { exact, plural } from './format';
import type { DeadLetter, RedriveJob, RedriveResult, SystemView } from './view';

export interface RedrivePlan {
  target: RedriveTarget;
  consumer: string;
  count: number;
  /** The letters of the target that are known to the page. */
  letters: DeadLetter[];
}

/** The question of the dialog. */
export function question({ count, consumer }: RedrivePlan): string {
  return `Redrive ${plural(count, 'dead letter')} of ${consumer}?`;
}

/** The risks, the greatest first. */
export function risks(plan: RedrivePlan, view: SystemView): string[] {
  const consumer = view.consumers.find((candidate) => candidate.id === plan.consumer);
  const open = view.dependencies.filter((dependency) => dependency.state !== 'closed' && dependency.consumers.includes(plan.consumer));
  const partial = plan.letters.length < plan.count ? 'At least ' : '';
  const followers = plan.letters.reduce((sum, letter) => sum + letter.followers, 0);
  const again = plan.letters.filter((letter) => letter.redrives > 0).length;
  return [
    ...(consumer?.state === 'halted' ? [`${plan.consumer} is halted: ${consumer.reason}`] : []),
    ...open.map((dependency) => `The breaker ${dependency.name} is ${dependency.state}: the deliveries wait until it closes.`),
    'A handler that did part of the work before it failed does that part again, unless it recognises the event by its id.',
    ...(again > 0 ? [`${partial}${plural(again, 'of them has', 'of them have')} been redriven before and came back.`] : []),
    ...(followers > 0 ? [`${partial}${plural(followers, 'later delivery', 'later deliveries')} of the same keys ${followers === 1 ? 'waits' : 'wait'} behind, and ${followers === 1 ? 'follows' : 'follow'} in order.`] : []),
  ];
}

/** What became of it. */
export function outcome({ redriven, refused }: RedriveResult): string {
  const sent = `${plural(redriven, 'dead letter')} redriven.`;
  if (refused.length === 0) return redriven === 0 ? 'There was nothing to redrive: it was done already.' : `${sent} Each is delivered again; one that fails again comes back here.`;
  return `${sent} ${exact(refused.length)} refused.`;
}

/** What can be done with a job now; none once it has ended. A job of a newer daemon's state can still be called off. */
export function turns(job: RedriveJob): Turn[] {
  switch (job.state) {
    case 'running':
      return ['pause', 'cancel'];
    case 'paused':
    case 'stopped':
      return ['resume', 'cancel'];
    case 'unknown':
      return ['cancel'];
    default:
      return [];
  }
}

/** How far a job is, in words. */
export function progress(job: RedriveJob): string {
  const rest = [
    [job.failed, 'failed again'],
    [job.skipped, 'passed over'],
    [job.sent, 'on their way'],
    [job.waiting, 'waiting'],
  ] as const;
  const others = rest.filter(([letters]) => letters > 0).map(([letters, what]) => `${exact(letters)} ${what}`);
  return [`${exact(job.verified)} of ${plural(job.letters, 'letter')} verified`, ...others].join(', ');
}
