import { describe, expect, test } from 'vitest';
import { exampleConsumer, exampleShop, exampleSystem } from './examples';
import { arrangeGraph, curve, fitScale, middle, neighbour, readingOrder, roomier, shortened, type Box } from './layout';
import { layers } from './layered';
import { captions, cut, spoken } from './node-words';
import { FlowIndex, RATE_STEPS, RATE_WIDTHS, buildGraph, fillLevel, flowRows, neighbourhood, rateStep, structureKey } from './topology';

describe('the graph', () => {
  const graph = buildGraph(exampleShop());

  test('has a node for each name and kind, in the order of the design', () => {
    expect(graph.nodes.map((node) => node.id)).toEqual([
      'service:orders', 'event:OrderPlaced', 'event:PaymentCaptured', 'service:billing', 'service:search', 'dependency:payments-api',
    ]);
  });

  test('has each edge once, in the direction of the events', () => {
    expect(graph.edges.map((edge) => edge.id)).toEqual([
      'service:orders>event:OrderPlaced',
      'event:PaymentCaptured>service:orders',
      'service:billing>event:PaymentCaptured',
      'event:OrderPlaced>service:billing',
      'event:OrderPlaced>service:search',
      'service:billing>dependency:payments-api',
    ]);
  });

  test('keeps a service and an event of the same name apart', () => {
    const same = buildGraph(exampleSystem({ services: [{ name: 'x', owner: null, publishes: ['x'], consumes: [] }] }));
    expect(same.nodes.map((node) => node.id).sort()).toEqual(['event:x', 'service:x']);
  });

  test('has what is joined to nothing, too', () => {
    const lone = buildGraph(exampleSystem({ events: [{ name: 'Lonely', summary: null, accepted_total: 0, invalid_total: 0, in_per_second: 0 }] }));
    expect(lone).toEqual({ nodes: [{ id: 'event:Lonely', kind: 'event', name: 'Lonely' }], edges: [] });
  });

  test('does not depend on numbers', () => {
    const shop = exampleShop();
    const before = structureKey(buildGraph(shop));
    for (const consumer of shop.consumers) Object.assign(consumer, { lag_seconds: 99, state: 'halted', backlog: 7 });
    expect(structureKey(buildGraph(shop))).toBe(before);
    shop.services.push({ name: 'new', owner: null, publishes: [], consumes: [] });
    expect(structureKey(buildGraph(shop))).not.toBe(before);
  });

  test('a neighbourhood goes both ways along edges, and has only edges between its nodes', () => {
    const near = neighbourhood(graph, 'service:search', 2);
    expect(near.nodes.map((node) => node.id).sort()).toEqual(['event:OrderPlaced', 'service:billing', 'service:orders', 'service:search']);
    for (const { from, to } of near.edges) {
      const ids = near.nodes.map((node) => node.id);
      expect(ids).toContain(from);
      expect(ids).toContain(to);
    }
    expect(neighbourhood(graph, 'service:nobody', 2).nodes).toEqual([]);
  });
});

describe('encodings', () => {
  test('the five steps of a rate', () => {
    expect([0, -1, Number.NaN, 0.2, 0.999, 1, 9.9, 10, 99, 100, 999, 1000, 1e7].map(rateStep)).toEqual([0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect(RATE_WIDTHS).toHaveLength(RATE_STEPS.length);
    expect([...RATE_WIDTHS]).toEqual([...RATE_WIDTHS].sort((a, b) => a - b));
  });

  test('the level is the worst lag over its objective, at most full', () => {
    expect(fillLevel([])).toBe(0);
    expect(fillLevel([exampleConsumer('a/E', { lag_seconds: 2.5 }), exampleConsumer('b/E', { lag_seconds: 4, objective_seconds: 40 })])).toBe(0.25);
    expect(fillLevel([exampleConsumer('a/E', { lag_seconds: 500 })])).toBe(1);
    expect(fillLevel([exampleConsumer('a/E', { lag_seconds: Number.NaN })])).toBe(0);
  });

  const index = new FlowIndex(exampleShop());
  const graph = buildGraph(exampleShop());
  const node = (id: string) => graph.nodes.find((one) => one.id === id) ?? expect.fail(`no node ${id}`);
  const edge = (id: string) => index.edge(graph.edges.find((one) => one.id === id) ?? expect.fail(`no edge ${id}`));

  test('a node is as its worst consumer, or its breaker, is', () => {
    expect(index.node(node('event:OrderPlaced'))).toEqual({ severity: 'error', word: 'falling behind', fill: 1, deadLetters: 3 });
    expect(index.node(node('service:billing'))).toEqual({ severity: 'error', word: 'falling behind', fill: 0, deadLetters: 3 });
    expect(index.node(node('service:search')).word).toBe('ok');
    expect(index.node(node('dependency:payments-api'))).toMatchObject({ severity: 'warning', word: 'half-open' });
    expect(new FlowIndex(exampleSystem()).node({ id: 'event:E', kind: 'event', name: 'E' })).toMatchObject({ severity: 'none', word: 'no consumer' });
  });

  test('an edge has its own rate and health', () => {
    expect(edge('service:orders>event:OrderPlaced')).toEqual({ severity: 'ok', word: 'flowing', perSecond: 120 });
    expect(edge('service:billing>event:PaymentCaptured')).toEqual({ severity: 'none', word: 'idle', perSecond: 0 });
    expect(edge('event:OrderPlaced>service:billing')).toEqual({ severity: 'error', word: 'falling behind', perSecond: 5 });
    expect(edge('event:OrderPlaced>service:search')).toEqual({ severity: 'ok', word: 'ok', perSecond: 1500 });
    expect(edge('service:billing>dependency:payments-api')).toMatchObject({ severity: 'warning', word: 'breaker half-open' });
  });

  test('problems come worst first', () => {
    expect(index.problems(graph).map((one) => one.id)).toEqual(['event:OrderPlaced', 'service:billing', 'dependency:payments-api']);
  });

  test('the table has every edge, the worst first', () => {
    const rows = flowRows(graph, index);
    expect(rows).toHaveLength(graph.edges.length);
    expect(rows[0]?.edge.id).toBe('event:OrderPlaced>service:billing');
    expect(rows[0]?.consumer?.id).toBe('billing/OrderPlaced');
    expect(rows.at(-1)?.status.severity).toBe('none');
  });

  test('words in and for nodes', () => {
    const status = index.node(node('event:OrderPlaced'));
    expect(captions(node('event:OrderPlaced'), status, index).map((line) => line.replaceAll('\u00a0', ' '))).toEqual(['4 s of 2 s', '120/s in · 0 wait']);
    expect(spoken(node('event:OrderPlaced'), status, index).replaceAll('\u00a0', ' ')).toBe('OrderPlaced, 4 s of 2 s, 120/s in · 0 wait, falling behind, worst consumer billing, event');
    expect(spoken(node('service:billing'), index.node(node('service:billing')), index)).toBe('billing, falling behind, 3 dead letters, service');
    expect(cut('ShipmentDispatched', 10)).toBe('ShipmentD…');
  });
});

describe('the layout', () => {
  const graph = buildGraph(exampleShop());

  function apart(a: Box, b: Box): boolean {
    return a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
  }

  test.each(['across', 'down'] as const)('%s: places every node inside, none over another, a circle included', (way) => {
    const layout = arrangeGraph(graph, way);
    const boxes = [...layout.boxes.values()];
    expect(boxes).toHaveLength(graph.nodes.length);
    for (const [index, box] of boxes.entries()) {
      expect(box.x).toBeGreaterThanOrEqual(0);
      expect(box.y).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width).toBeLessThanOrEqual(layout.width);
      expect(box.y + box.height).toBeLessThanOrEqual(layout.height);
      for (const other of boxes.slice(index + 1)) expect(apart(box, other)).toBe(true);
    }
    for (const edge of graph.edges) {
      const points = layout.paths.get(edge.id) ?? [];
      expect(points.length).toBeGreaterThan(1);
      for (const point of points) {
        expect(point.x).toBeGreaterThanOrEqual(0);
        expect(point.x).toBeLessThanOrEqual(layout.width);
        expect(point.y).toBeGreaterThanOrEqual(0);
        expect(point.y).toBeLessThanOrEqual(layout.height);
      }
    }
  });

  test('is the same every time', () => {
    expect(arrangeGraph(graph, 'across')).toEqual(arrangeGraph(buildGraph(exampleShop()), 'across'));
  });

  test('of a large system joined every which way is found at once, with the same promises', () => {
    const names = Array.from({ length: 400 }, (_, index) => `s${index}`);
    const system = exampleSystem({
      services: names.map((name, index) => ({ name, owner: null, publishes: [`E${index}`], consumes: [`E${(index + 1) % 400}`, `E${(index * 7 + 3) % 400}`] })),
    });
    const large = buildGraph(system);
    const from = performance.now();
    const layout = arrangeGraph(large, 'across');
    // It takes some tens of milliseconds; the careful arrangement would take a minute.
    expect(performance.now() - from).toBeLessThan(2000);
    const boxes = [...layout.boxes.values()];
    expect(boxes).toHaveLength(800);
    for (const [index, box] of boxes.entries()) {
      for (const other of boxes.slice(index + 1)) if (!apart(box, other)) expect.fail('a node stands over another');
    }
    for (const edge of large.edges) expect(layout.paths.get(edge.id)).toHaveLength(2);
    expect(arrangeGraph(large, 'across')).toEqual(layout);
  });

  test('of a chain has a rank for each link, even of a very long one', () => {
    const links = Array.from({ length: 5000 }, (_, index) => ({ name: `s${index}`, owner: null, publishes: [`E${index}`], consumes: index === 0 ? [] : [`E${index - 1}`] }));
    expect(layers(buildGraph(exampleSystem({ services: links })))).toHaveLength(10_000);
  });

  test('of nothing has no size', () => {
    expect(arrangeGraph({ nodes: [], edges: [] }, 'across')).toMatchObject({ width: 0, height: 0 });
  });

  test('goes the way that the room shows larger', () => {
    const wide = { orientation: 'across' as const, width: 1000, height: 200, boxes: new Map(), paths: new Map() };
    const tall = { orientation: 'down' as const, width: 200, height: 1000, boxes: new Map(), paths: new Map() };
    expect(roomier(wide, tall, { width: 1200, height: 500 })).toBe(wide);
    expect(roomier(wide, tall, { width: 370, height: 600 })).toBe(tall);
    expect(fitScale(wide, { width: 900, height: 1 })).toBe(0.9);
    expect(fitScale(wide, { width: 100, height: 1 })).toBeGreaterThan(0.5);
    expect(fitScale(wide, { width: 9000, height: 1 })).toBeLessThan(2);
  });

  test('arrow keys lead along edges, and nowhere at the rim', () => {
    const layout = arrangeGraph(graph, 'across');
    expect(neighbour(graph, layout, 'service:orders', 'ArrowRight')?.id).toBe('event:OrderPlaced');
    expect(neighbour(graph, layout, 'event:OrderPlaced', 'ArrowLeft')?.id).toBe('service:orders');
    expect(neighbour(graph, layout, 'service:orders', 'ArrowLeft')).toBeNull();
    expect(neighbour(graph, layout, 'service:nobody', 'ArrowLeft')).toBeNull();
  });

  test('the reading order has every node, from source to sink', () => {
    const order = readingOrder(graph, arrangeGraph(graph, 'across')).map((node) => node.id);
    expect([...order].sort()).toEqual(graph.nodes.map((node) => node.id).sort());
    expect(order[0]).toBe('service:orders');
  });

  test('every node can be reached with the arrows', () => {
    const layout = arrangeGraph(graph, 'across');
    const reached = new Set(['service:orders']);
    for (const id of reached) {
      for (const arrow of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'] as const) {
        const next = neighbour(graph, layout, id, arrow);
        if (next !== null) reached.add(next.id);
      }
    }
    expect(reached.size).toBe(graph.nodes.length);
  });
});

describe('paths', () => {
  const bends = [{ x: 0, y: 0 }, { x: 10, y: 0 }, { x: 10, y: 30 }];

  test('the middle is half-way along', () => {
    expect(middle(bends)).toEqual({ x: 10, y: 10 });
    expect(middle([{ x: 3, y: 4 }])).toEqual({ x: 3, y: 4 });
    expect(middle([])).toEqual({ x: 0, y: 0 });
  });

  test('an end is drawn back for the arrow, and never past its last bend', () => {
    expect(shortened(bends, 9).at(-1)).toEqual({ x: 10, y: 21 });
    expect(shortened(bends, 99).at(-1)).toEqual({ x: 10, y: 0 });
    expect(shortened([], 9)).toEqual([]);
  });

  test('a curve starts and ends where its bends do', () => {
    expect(curve(bends)).toBe('M0 0Q10 0 10 30');
    expect(curve(bends.slice(0, 2))).toBe('M0 0L10 0');
    expect(curve([])).toBe('');
  });
});
