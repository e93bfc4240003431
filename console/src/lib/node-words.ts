/** The lines of text in a node, and its name for readers. Pure. */

import { count, plural, rate, seconds } from './format';
import type { FlowIndex, FlowNode, NodeStatus } from './topology';

/** A longer name is cut; the node's title has it in full. */
export function cut(name: string, letters: number): string {
  return name.length <= letters ? name : `${name.slice(0, letters - 1)}…`;
}

/** The lines below the name: at most two for an event, one for others. */
export function captions(node: FlowNode, status: NodeStatus, index: FlowIndex): string[] {
  if (node.kind === 'dependency') return [`breaker ${status.word}`];
  const consumers = index.consumers(node);
  if (node.kind === 'service') return [status.word];
  const [worst] = consumers;
  const inRate = `${rate(index.events.get(node.name)?.in_per_second ?? 0)} in`;
  if (worst === undefined) return [inRate, 'no consumer'];
  const waiting = consumers.reduce((sum, consumer) => sum + consumer.backlog, 0);
  return [`${seconds(worst.lag_seconds)} of ${seconds(worst.objective_seconds)}`, `${inRate} · ${count(waiting)} wait`];
}

/** All of it for readers and for control by voice: what is seen comes first, in the same words. */
export function spoken(node: FlowNode, status: NodeStatus, index: FlowIndex): string {
  const dead = node.kind === 'service' && status.deadLetters > 0 ? [plural(status.deadLetters, 'dead letter')] : [];
  const [worst] = node.kind === 'event' ? index.consumers(node) : [];
  const event = worst === undefined ? [] : [status.word, `worst consumer ${worst.service}`];
  return [node.name, ...captions(node, status, index), ...event, ...dead, node.kind].join(', ');
}
