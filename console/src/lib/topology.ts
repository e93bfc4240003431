/** The map of the system: what is connected to what, and how marks show rates and health. Pure. */

import { freshness, byUrgency } from './urgency';
import { isOwnBreaker, type ConsumerView, type DependencyView, type EventView, type ServiceView, type SystemView } from './view';
import { BREAKER_WORDS, CONSUMER_WORDS, severityRank, worst, type Severity } from './words';

export type NodeKind = 'service' | 'event' | 'dependency';
export type EdgeKind = 'publishes' | 'consumes' | 'needs';

/** A node; its id is `kind:name`. */
export interface FlowNode {
  id: string;
  kind: NodeKind;
  name: string;
}

/** An edge in the direction in which events, or calls, go. */
export interface FlowEdge {
  id: string;
  kind: EdgeKind;
  from: string;
  to: string;
}

export interface FlowGraph {
  nodes: FlowNode[];
  edges: FlowEdge[];
}

export function nodeId(kind: NodeKind, name: string): string {
  return `${kind}:${name}`;
}

/** The structure alone, in the order of the design: it changes only when the design does, so the layout stays. */
export function buildGraph(view: SystemView): FlowGraph {
  const nodes = new Map<string, FlowNode>();
  const edges = new Map<string, FlowEdge>();
  const node = (kind: NodeKind, name: string): string => {
    const id = nodeId(kind, name);
    if (!nodes.has(id)) nodes.set(id, { id, kind, name });
    return id;
  };
  const edge = (kind: EdgeKind, from: string, to: string): void => {
    const id = `${from}>${to}`;
    if (!edges.has(id)) edges.set(id, { id, kind, from, to });
  };
  for (const { name, publishes, consumes } of view.services) {
    for (const event of publishes) edge('publishes', node('service', name), node('event', event));
    for (const event of consumes) edge('consumes', node('event', event), node('service', name));
    node('service', name);
  }
  for (const { name } of view.events) node('event', name);
  for (const { service, event, needs } of view.consumers) {
    edge('consumes', node('event', event), node('service', service));
    for (const name of needs) edge('needs', node('service', service), node('dependency', name));
  }
  for (const { name } of view.dependencies) if (!isOwnBreaker(name)) node('dependency', name);
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

/** Equal for equal structures. */
export function structureKey(graph: FlowGraph): string {
  return [...graph.nodes.map((node) => node.id), ...graph.edges.map((edge) => edge.id)].join('\n');
}

/** The part of the graph that is at most `hops` edges away from a node, in either direction. */
export function neighbourhood(graph: FlowGraph, centre: string, hops: number): FlowGraph {
  let reached = new Set([centre]);
  for (let hop = 0; hop < hops; hop += 1) {
    const next = new Set(reached);
    for (const { from, to } of graph.edges) {
      if (reached.has(from)) next.add(to);
      if (reached.has(to)) next.add(from);
    }
    reached = next;
  }
  return {
    nodes: graph.nodes.filter((node) => reached.has(node.id)),
    edges: graph.edges.filter((edge) => reached.has(edge.from) && reached.has(edge.to)),
  };
}

/** Above this many nodes, the map opens on the neighbourhood of the worst node. */
export const WHOLE_MAP_NODES_MAX = 120;

/** Line widths in pixels for the five steps of `rateStep`; 0 has the thinnest. */
export const RATE_WIDTHS = [1, 1.5, 2.5, 4, 6, 8.5] as const;

/** What the steps mean, for the legend. */
export const RATE_STEPS = ['none', '<1/s', '<10/s', '<100/s', '<1 k/s', '≥1 k/s'] as const;

/** 0 for no rate, then 1 to 5: below 1, 10, 100, 1,000 a second, and above. */
export function rateStep(perSecond: number): 0 | 1 | 2 | 3 | 4 | 5 {
  if (!(perSecond > 0)) return 0;
  if (perSecond < 1) return 1;
  if (perSecond < 10) return 2;
  if (perSecond < 100) return 3;
  return perSecond < 1000 ? 4 : 5;
}

export function rateWidth(perSecond: number): number {
  return RATE_WIDTHS[rateStep(perSecond)];
}

/** How full a node is drawn: the worst consumer's lag ÷ objective, from 0 to 1. */
export function fillLevel(consumers: readonly ConsumerView[]): number {
  return consumers.reduce((level, consumer) => Math.max(level, Math.min(1, freshness(consumer))), 0);
}

/** How a node is, and in which words. */
export interface NodeStatus {
  severity: Severity;
  /** A word or two for its state. */
  word: string;
  /** How full it is drawn, from 0 to 1; 0 for what is not an event. */
  fill: number;
  deadLetters: number;
}

/** How an edge is. */
export interface EdgeStatus {
  severity: Severity;
  word: string;
  perSecond: number;
}

/** A snapshot, looked up by name. */
export class FlowIndex {
  readonly view: SystemView;
  readonly services: Map<string, ServiceView>;
  readonly events: Map<string, EventView>;
  readonly dependencies: Map<string, DependencyView>;
  readonly byEvent: Map<string, ConsumerView[]>;
  readonly byService: Map<string, ConsumerView[]>;

  constructor(view: SystemView) {
    this.view = view;
    this.services = new Map(view.services.map((service) => [service.name, service]));
    this.events = new Map(view.events.map((event) => [event.name, event]));
    this.dependencies = new Map(view.dependencies.map((dependency) => [dependency.name, dependency]));
    this.byEvent = grouped(view.consumers, 'event');
    this.byService = grouped(view.consumers, 'service');
  }

  /** The consumers that a node stands for, the most urgent first. */
  consumers(node: FlowNode): ConsumerView[] {
    if (node.kind === 'event') return [...(this.byEvent.get(node.name) ?? [])].sort(byUrgency);
    if (node.kind === 'service') return [...(this.byService.get(node.name) ?? [])].sort(byUrgency);
    return this.view.consumers.filter((consumer) => consumer.needs.includes(node.name)).sort(byUrgency);
  }

  node(node: FlowNode): NodeStatus {
    if (node.kind === 'dependency') return this.dependencyStatus(node.name);
    const consumers = this.consumers(node);
    const severity = worst(consumers.map((consumer) => CONSUMER_WORDS[consumer.state].severity));
    const first = consumers.find((consumer) => CONSUMER_WORDS[consumer.state].severity === severity);
    return {
      severity,
      word: first === undefined ? (node.kind === 'event' ? 'no consumer' : 'publishes only') : CONSUMER_WORDS[first.state].word,
      fill: node.kind === 'event' ? fillLevel(consumers) : 0,
      deadLetters: consumers.reduce((sum, consumer) => sum + consumer.dead_letters, 0),
    };
  }

  private dependencyStatus(name: string): NodeStatus {
    const state = this.dependencies.get(name)?.state ?? 'unknown';
    return { severity: BREAKER_WORDS[state].severity, word: BREAKER_WORDS[state].word, fill: 0, deadLetters: 0 };
  }

  edge(edge: FlowEdge): EdgeStatus {
    const [from, to] = [nameOf(edge.from), nameOf(edge.to)];
    if (edge.kind === 'publishes') {
      const perSecond = this.events.get(to)?.in_per_second ?? 0;
      return perSecond > 0 ? { severity: 'ok', word: 'flowing', perSecond } : { severity: 'none', word: 'idle', perSecond: 0 };
    }
    if (edge.kind === 'consumes') {
      const consumer = this.byEvent.get(from)?.find((one) => one.service === to);
      if (consumer === undefined) return { severity: 'none', word: 'unknown', perSecond: 0 };
      const { severity, word } = CONSUMER_WORDS[consumer.state];
      return { severity, word, perSecond: consumer.out_per_second };
    }
    const state = this.dependencies.get(to)?.state ?? 'unknown';
    return { severity: BREAKER_WORDS[state].severity, word: `breaker ${BREAKER_WORDS[state].word}`, perSecond: 0 };
  }

  /** The nodes with a problem, the worst first; then in the order of the map. */
  problems(graph: FlowGraph): FlowNode[] {
    const judged = graph.nodes.map((node) => ({ node, rank: severityRank(this.node(node).severity), fill: this.node(node).fill }));
    return judged
      .filter(({ rank }) => rank >= severityRank('warning'))
      .sort((a, b) => b.rank - a.rank || b.fill - a.fill)
      .map(({ node }) => node);
  }
}

function grouped(consumers: readonly ConsumerView[], by: 'event' | 'service'): Map<string, ConsumerView[]> {
  const groups = new Map<string, ConsumerView[]>();
  for (const consumer of consumers) groups.set(consumer[by], [...(groups.get(consumer[by]) ?? []), consumer]);
  return groups;
}

/** The edges as rows of a table, the worst first, then in the order of the map. */
export interface FlowRow {
  edge: FlowEdge;
  status: EdgeStatus;
  /** The consumer that the edge stands for, when it does. */
  consumer: ConsumerView | null;
}

export function flowRows(graph: FlowGraph, index: FlowIndex): FlowRow[] {
  return graph.edges
    .map((edge) => {
      const consumer = edge.kind === 'consumes' ? index.byEvent.get(nameOf(edge.from))?.find((one) => one.service === nameOf(edge.to)) : undefined;
      return { edge, status: index.edge(edge), consumer: consumer ?? null };
    })
    .sort((a, b) => severityRank(b.status.severity) - severityRank(a.status.severity));
}

/** The name in a node's id. */
export function nameOf(id: string): string {
  return id.slice(id.indexOf(':') + 1);
}
