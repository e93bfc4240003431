/**
 * A plain layered arrangement for maps too large for the careful one, which takes half a minute for 300 nodes that are
 * joined every which way. Ranks by the longest path, order within a rank by the mean place of the neighbours, straight
 * edges. Its time grows with the number of nodes and edges alone.
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

/** The length of the longest path to each node, circles cut where a walk in the order of the design meets itself. */
function ranks(graph: FlowGraph): Map<string, number> {
  const next = new Map<string, string[]>(graph.nodes.map((node) => [node.id, []]));
  for (const { from, to } of graph.edges) next.get(from)?.push(to);
  const finished = depthFirst(graph, next);
  const place = new Map(finished.map((id, index) => [id, index]));
  const rank = new Map<string, number>();
  // Last finished is first in topological order; an edge to one that finished later closes a circle.
  for (const id of finished.toReversed()) {
    const own = rank.get(id) ?? 0;
    rank.set(id, own);
    for (const target of next.get(id) ?? []) {
      if ((place.get(target) ?? 0) < (place.get(id) ?? 0)) rank.set(target, Math.max(rank.get(target) ?? 0, own + 1));
    }
  }
  return rank;
}

/** The nodes in the order in which a depth-first walk leaves them; without recursion, for long chains. */
function depthFirst(graph: FlowGraph, next: Map<string, string[]>): string[] {
  const seen = new Set<string>();
  const finished: string[] = [];
  for (const { id: start } of graph.nodes) {
    if (seen.has(start)) continue;
    seen.add(start);
    const path = [{ id: start, at: 0 }];
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const target = next.get(top.id)?.[top.at];
      top.at += 1;
      if (target === undefined) finished.push(path.pop()?.id ?? '');
      else if (!seen.has(target)) {
        seen.add(target);
        path.push({ id: target, at: 0 });
      }
    }
  }
  return finished;
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
