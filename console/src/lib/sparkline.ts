/** The shape of a small line of lag, drawn on the scale of its objective. Pure. */

import type { Series } from './history';

export interface SparklineShape {
  /** The height of the objective. */
  limit: number;
  line: string;
  /** The line again, where it is beyond the objective. */
  over: string;
  area: string;
}

/** More values than this are reduced to the largest of each stretch, so that no peak is lost. */
const VALUES_MAX = 60;

/** The whole height is at least this many objectives, so that a calm line stays low and the limit keeps its place. */
const OBJECTIVES_MIN = 1.6;

export function sparkline(series: Series, objective: number, width: number, height: number): SparklineShape {
  const values = peaks(series, VALUES_MAX);
  const largest = values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  const top = Math.max(objective * OBJECTIVES_MIN, largest * 1.05, Number.MIN_VALUE);
  const y = (value: number): number => round(height - 1 - (value / top) * (height - 2));
  const x = (index: number): number => round(values.length < 2 ? width : (index / (values.length - 1)) * width);
  const points = values.map((value, index) => (value === null ? null : { x: x(index), y: y(value), beyond: value > objective }));
  return {
    limit: y(objective),
    line: path(points, () => true),
    over: path(points, (point) => point.beyond),
    area: area(points, height),
  };
}

interface Spot {
  x: number;
  y: number;
  beyond: boolean;
}

function path(points: (Spot | null)[], chosen: (point: Spot) => boolean): string {
  let drawn = '';
  let pen = false;
  for (const point of points) {
    const down = point !== null && chosen(point);
    if (down) drawn += `${pen ? 'L' : 'M'}${point.x} ${point.y}`;
    pen = down;
  }
  return drawn;
}

function area(points: (Spot | null)[], height: number): string {
  const known = points.filter((point) => point !== null);
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) return '';
  const top = known.map(({ x, y }) => `L${x} ${y}`).join('');
  return `M${first.x} ${height}${top}L${last.x} ${height}Z`;
}

/** At most `most` values: the largest of each stretch of equal length. */
export function peaks(series: Series, most: number): Series {
  if (series.length <= most) return series;
  return Array.from({ length: most }, (_, index) => {
    const stretch = series.slice(Math.floor((index * series.length) / most), Math.floor(((index + 1) * series.length) / most));
    return stretch.reduce<number | null>((top, value) => (value === null ? top : Math.max(top ?? value, value)), null);
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
