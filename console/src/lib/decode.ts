/**
 * Turns what the daemon sent into typed values, or says which field is not as promised.
 *
 * Fields that are not named are ignored: the interface may grow.
 */

/** Checks a value found at `path` and returns it typed. */
export type Decoder<T> = (value: unknown, path: string) => T;

/** The type that a decoder returns. */
export type Decoded<D> = D extends Decoder<infer T> ? T : never;

/** A field that is not what the interface promises. */
export class DecodeError extends Error {
  constructor(path: string, wanted: string, found: unknown) {
    super(`${path || 'the answer'} is ${describe(found)}, not ${wanted}`);
    this.name = 'DecodeError';
  }
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

export const text: Decoder<string> = (value, path) => {
  if (typeof value !== 'string') throw new DecodeError(path, 'a text', value);
  return value;
};

/** A finite number that is always known: a count or a time. */
export const number: Decoder<number> = (value, path) => {
  if (typeof value !== 'number') throw new DecodeError(path, 'a number', value);
  return value;
};

/** A measured number. The daemon's JSON has `null` where the measure is not finite; that is `NaN` here, shown as “—”. */
export const measure: Decoder<number> = (value, path) => (value === null ? Number.NaN : number(value, path));

/** Whatever JSON is there. */
export const anything: Decoder<unknown> = (value) => value;

/** `null` when the field is `null` or missing. */
export function optional<T>(inner: Decoder<T>): Decoder<T | null> {
  return (value, path) => (value === null || value === undefined ? null : inner(value, path));
}

/** One of the given words, or `other` for a word that a newer daemon added. */
export function word<const W extends string, const O extends string>(words: readonly W[], other: O): Decoder<W | O> {
  return (value, path) => words.find((known) => known === text(value, path)) ?? other;
}

export function list<T>(item: Decoder<T>): Decoder<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new DecodeError(path, 'a list', value);
    return value.map((element, index) => item(element, `${path}[${index}]`));
  };
}

function entries(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new DecodeError(path, 'an object', value);
  return value as Record<string, unknown>;
}

/** An object whose keys are data. */
export function dictionary<T>(item: Decoder<T>): Decoder<Map<string, T>> {
  return (value, path) =>
    new Map(Object.entries(entries(value, path)).map(([key, element]) => [key, item(element, `${path}["${key}"]`)]));
}

/** An object with these fields. */
export function object<S extends Record<string, Decoder<unknown>>>(shape: S): Decoder<{ [K in keyof S]: Decoded<S[K]> }> {
  return (value, path) => {
    const fields = entries(value, path);
    const decoded = Object.entries(shape).map(([key, field]) => [key, field(fields[key], path ? `${path}.${key}` : key)]);
    return Object.fromEntries(decoded) as { [K in keyof S]: Decoded<S[K]> };
  };
}
