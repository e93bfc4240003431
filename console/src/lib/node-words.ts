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

/** All of it in one sentence. */
export function spoken(node: FlowNode, status: NodeStatus, index: FlowIndex): string {
  const consumers = index.consumers(node);
  if (node.kind === 'dependency') return `Dependency ${node.name}, breaker ${status.word}`;
  if (node.kind === 'service') {
    const dead = status.deadLetters > 0 ? `, ${plural(status.deadLetters, 'dead letter')}` : '';
    return `Service ${node.name}, ${status.word}${dead}`;
  }
  const [worst] = consumers;
  if (worst === undefined) return `Event ${node.name}, no consumer`;
  return `Event ${node.name}, ${status.word}, worst consumer ${worst.service}: ${seconds(worst.lag_seconds)} of ${seconds(worst.objective_seconds)}`;
}
