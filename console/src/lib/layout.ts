/** Where the nodes of the map stand. A function of the structure alone, so a refresh moves nothing. */

import { graphlib, layout as arrange } from '@dagrejs/dagre';
import { layers } from './layered';
import type { FlowGraph, FlowNode, NodeKind } from './topology';

/** `across`: left to right, for wide pages. `down`: top to bottom, for narrow ones. */
export type Orientation = 'across' | 'down';

export interface Point {
  x: number;
  y: number;
}

/** A node's place: its top left corner and its size. */
export interface Box extends Point {
  width: number;
  height: number;
}

export interface MapLayout {
  orientation: Orientation;
  width: number;
  height: number;
  boxes: Map<string, Box>;
  /** The bends of each edge, from source to target. */
  paths: Map<string, Point[]>;
}

export const NODE_SIZES: Record<NodeKind, { width: number; height: number }> = {
  service: { width: 124, height: 48 },
  event: { width: 152, height: 62 },
  dependency: { width: 136, height: 48 },
};

/** Above this many nodes and edges together, the careful arrangement takes longer than a reader waits. */
const CAREFUL_MARKS_MAX = 160;

export function arrangeGraph(graph: FlowGraph, orientation: Orientation): MapLayout {
  return graph.nodes.length + graph.edges.length > CAREFUL_MARKS_MAX ? arrangePlainly(graph, orientation) : arrangeCarefully(graph, orientation);
}

/** Ranks of equal cells, and straight edges. */
function arrangePlainly(graph: FlowGraph, orientation: Orientation): MapLayout {
  const kinds = new Map(graph.nodes.map((node) => [node.id, node.kind]));
  const across = orientation === 'across';
  const cell = across ? { rank: 250, place: 84 } : { rank: 140, place: 180 };
  const boxes = new Map<string, Box>();
  for (const [rank, row] of layers(graph).entries()) {
    for (const [place, id] of row.entries()) {
      const size = NODE_SIZES[kinds.get(id) ?? 'service'];
      const [along, aside] = [rank * cell.rank, (place - row.length / 2) * cell.place];
      boxes.set(id, box({ x: across ? along : aside, y: across ? aside : along, ...size }));
    }
  }
  const paths = new Map(graph.edges.map((edge) => [edge.id, straight(boxes.get(edge.from), boxes.get(edge.to))]));
  return framed(orientation, boxes, paths);
}

/** From rim to rim, along the line between the centres. */
function straight(from: Box | undefined, to: Box | undefined): Point[] {
  if (from === undefined || to === undefined) return [];
  return [rim(from, centre(to)), rim(to, centre(from))];
}

function centre({ x, y, width, height }: Box): Point {
  return { x: x + width / 2, y: y + height / 2 };
}

/** Where the line from a box's centre to a point leaves the box. */
function rim(from: Box, towards: Point): Point {
  const middle = centre(from);
  const [x, y] = [towards.x - middle.x, towards.y - middle.y];
  const share = Math.min(1, from.width / 2 / Math.max(1e-9, Math.abs(x)), from.height / 2 / Math.max(1e-9, Math.abs(y)));
  return { x: middle.x + x * share, y: middle.y + y * share };
}

function arrangeCarefully(graph: FlowGraph, orientation: Orientation): MapLayout {
  const dag = new graphlib.Graph();
  dag.setGraph(
    orientation === 'across'
      ? { rankdir: 'LR', acyclicer: 'greedy', nodesep: 26, ranksep: 36, edgesep: 18 }
      : { rankdir: 'TB', acyclicer: 'greedy', nodesep: 18, ranksep: 50, edgesep: 14 },
  );
  for (const node of graph.nodes) dag.setNode(node.id, { ...NODE_SIZES[node.kind] });
  for (const edge of graph.edges) dag.setEdge(edge.from, edge.to, {});
  arrange(dag);
  const boxes = new Map(graph.nodes.map((node) => [node.id, box(dag.node(node.id) as Box)]));
  const paths = new Map(
    graph.edges.map((edge) => [edge.id, (dag.edge(edge.from, edge.to) as { points?: Point[] } | undefined)?.points ?? []]),
  );
  return framed(orientation, boxes, paths);
}

/** The scales at which the map is still readable, and not larger than it need be. */
const SCALE_MIN = 0.76;
const SCALE_MAX = 1.15;

/** A room's width and height, in pixels. */
export interface Room {
  width: number;
  height: number;
}

/** The scale at which a layout fits a room's width, within what is readable. */
export function fitScale(layout: MapLayout, room: Room): number {
  return Math.min(SCALE_MAX, Math.max(SCALE_MIN, room.width / Math.max(1, layout.width)));
}

/** Of two layouts the one that the room shows larger as a whole; the first when both are alike. */
export function roomier(first: MapLayout, second: MapLayout, room: Room): MapLayout {
  const whole = ({ width, height }: MapLayout): number => Math.min(SCALE_MAX, room.width / Math.max(1, width), room.height / Math.max(1, height));
  return whole(second) > whole(first) * 1.1 ? second : first;
}

/** Air around the outermost marks, in pixels. */
const MARGIN = 16;

/** Moves everything so that all of it is inside: the library leaves long edges out of its own measure. */
function framed(orientation: Orientation, boxes: Map<string, Box>, paths: Map<string, Point[]>): MapLayout {
  const spots = [...paths.values()].flat();
  const lefts = [...boxes.values(), ...spots];
  if (lefts.length === 0) return { orientation, width: 0, height: 0, boxes, paths };
  const rights = [...[...boxes.values()].map((one) => ({ x: one.x + one.width, y: one.y + one.height })), ...spots];
  const left = Math.min(...lefts.map((spot) => spot.x)) - MARGIN;
  const top = Math.min(...lefts.map((spot) => spot.y)) - MARGIN;
  const moved = <P extends Point>(spot: P): P => ({ ...spot, x: spot.x - left, y: spot.y - top });
  return {
    orientation,
    width: Math.max(...rights.map((spot) => spot.x)) + MARGIN - left,
    height: Math.max(...rights.map((spot) => spot.y)) + MARGIN - top,
    boxes: new Map([...boxes].map(([id, one]) => [id, moved(one)])),
    paths: new Map([...paths].map(([id, points]) => [id, points.map(moved)])),
  };
}

/** The library gives centres. */
function box({ x, y, width, height }: Box): Box {
  return { x: x - width / 2, y: y - height / 2, width, height };
}

/** The bends with the end drawn back by some pixels: room for an arrow's head. */
export function shortened(points: readonly Point[], by: number): Point[] {
  const [last, before] = [points.at(-1), points.at(-2)];
  if (last === undefined || before === undefined) return [...points];
  const share = Math.min(1, by / Math.max(by, distance(before, last)));
  const end = { x: last.x - (last.x - before.x) * share, y: last.y - (last.y - before.y) * share };
  return [...points.slice(0, -1), end];
}

/** A smooth SVG path through the bends. */
export function curve(points: readonly Point[]): string {
  const [first, ...rest] = points;
  const last = rest.at(-1);
  if (first === undefined || last === undefined) return '';
  const at = ({ x, y }: Point): string => `${round(x)} ${round(y)}`;
  if (rest.length === 1) return `M${at(first)}L${at(last)}`;
  const bends = rest.slice(0, -1);
  const pieces = bends.map((bend, index) => {
    const next = rest[index + 1] ?? last;
    const end = index === bends.length - 1 ? last : { x: (bend.x + next.x) / 2, y: (bend.y + next.y) / 2 };
    return `Q${at(bend)} ${at(end)}`;
  });
  return `M${at(first)}${pieces.join('')}`;
}

/** The point half-way along the bends, where the edge's glyph stands. */
export function middle(points: readonly Point[]): Point {
  const lengths = points.slice(1).map((point, index) => distance(point, points[index] ?? point));
  let left = lengths.reduce((sum, length) => sum + length, 0) / 2;
  for (const [index, length] of lengths.entries()) {
    const [from, to] = [points[index], points[index + 1]];
    if (from !== undefined && to !== undefined && left <= length) {
      const share = length === 0 ? 0 : left / length;
      return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
    }
    left -= length;
  }
  return points[0] ?? { x: 0, y: 0 };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

export type Arrow = 'ArrowLeft' | 'ArrowRight' | 'ArrowUp' | 'ArrowDown';

/**
 * The node that an arrow key goes to: the nearest one in that direction; along the flow, those joined by an edge first.
 * Returns `null` at the rim of the map.
 */
export function neighbour(graph: FlowGraph, layout: MapLayout, from: string, arrow: Arrow): FlowNode | null {
  const here = layout.boxes.get(from);
  if (here === undefined) return null;
  const joined = new Set(graph.edges.flatMap((edge) => (edge.from === from ? [edge.to] : edge.to === from ? [edge.from] : [])));
  const flow = (arrow === 'ArrowLeft' || arrow === 'ArrowRight') === (layout.orientation === 'across');
  let best: FlowNode | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const node of graph.nodes) {
    const there = layout.boxes.get(node.id);
    if (there === undefined || node.id === from) continue;
    const { along, aside } = heading(here, there, arrow);
    if (along <= 1) continue;
    const cost = along + 2 * aside + (flow && !joined.has(node.id) ? 10_000 : 0);
    if (cost < least) [best, least] = [node, cost];
  }
  return best;
}

/** All nodes, rank by rank in the direction of the flow: the order of `j` and `k`. */
export function readingOrder(graph: FlowGraph, layout: MapLayout): FlowNode[] {
  const place = (node: FlowNode): [number, number] => {
    const { x, y, width, height } = layout.boxes.get(node.id) ?? { x: 0, y: 0, width: 0, height: 0 };
    const [across, down] = [Math.round(x + width / 2), Math.round(y + height / 2)];
    return layout.orientation === 'across' ? [across, down] : [down, across];
  };
  return [...graph.nodes].sort((a, b) => place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1]);
}

/** How far one box is from another in the arrow's direction, and to its side, between centres. */
function heading(from: Box, to: Box, arrow: Arrow): { along: number; aside: number } {
  const x = to.x + to.width / 2 - from.x - from.width / 2;
  const y = to.y + to.height / 2 - from.y - from.height / 2;
  const sign = arrow === 'ArrowLeft' || arrow === 'ArrowUp' ? -1 : 1;
  const horizontal = arrow === 'ArrowLeft' || arrow === 'ArrowRight';
  return horizontal ? { along: sign * x, aside: Math.abs(y) } : { along: sign * y, aside: Math.abs(x) };
}
