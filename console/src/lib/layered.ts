/**
 * A plain layered arrangement for maps too large for the careful one, which takes half a minute for 300 nodes that are
 * joined every which way. Ranks by the distance from the sources, order within a rank by the mean place of the
 * neighbours, straight edges. Its time grows with the number of nodes and edges alone.
 */

import type { FlowEdge, FlowGraph } from './topology';

/** The ranks from sources to sinks, each a list of node ids in order. */
export function layers(graph: FlowGraph): string[][] {
  const rank = ranks(graph);
  const rows: string[][] = [];
  for (const { id } of graph.nodes) {
    const at = rank.get(id) ?? 0;
    while (rows.length <= at) rows.push([]);
    rows[at]?.push(id);
  }
  untangle(rows, graph.edges);
  return rows;
}

/** The least number of edges from a source to each node; a circle that no source feeds starts at its first node in the design. */
function ranks(graph: FlowGraph): Map<string, number> {
  const next = new Map<string, string[]>(graph.nodes.map((node) => [node.id, []]));
  for (const { from, to } of graph.edges) next.get(from)?.push(to);
  const fed = new Set(graph.edges.map((edge) => edge.to));
  const rank = new Map<string, number>();
  spread(graph.nodes.filter((node) => !fed.has(node.id)).map((node) => node.id), next, rank);
  for (const { id } of graph.nodes) if (!rank.has(id)) spread([id], next, rank);
  return rank;
}

/** Breadth first from the starts, over nodes that have no rank yet. */
function spread(starts: string[], next: Map<string, string[]>, rank: Map<string, number>): void {
  for (const id of starts) rank.set(id, 0);
  const queue = [...starts];
  // The queue grows while it is walked.
  for (const id of queue) {
    for (const target of next.get(id) ?? []) {
      if (rank.has(target)) continue;
      rank.set(target, (rank.get(id) ?? 0) + 1);
      queue.push(target);
    }
  }
}

/** Sweeps forward and back, ordering each rank by where its neighbours stand. */
function untangle(rows: string[][], edges: FlowEdge[]): void {
  const joined = new Map<string, string[]>();
  for (const { from, to } of edges) {
    joined.set(from, [...(joined.get(from) ?? []), to]);
    joined.set(to, [...(joined.get(to) ?? []), from]);
  }
  const share = new Map<string, number>();
  const settle = (row: string[]): void => row.forEach((id, index) => share.set(id, (index + 0.5) / row.length));
  rows.forEach(settle);
  for (let sweep = 0; sweep < 4; sweep += 1) {
    for (const row of sweep % 2 === 0 ? rows : rows.toReversed()) {
      const wanted = new Map(row.map((id) => [id, mean((joined.get(id) ?? []).map((other) => share.get(other) ?? 0.5))]));
      row.sort((a, b) => (wanted.get(a) ?? 0.5) - (wanted.get(b) ?? 0.5));
      settle(row);
    }
  }
}

function mean(values: number[]): number {
  return values.length === 0 ? 0.5 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
