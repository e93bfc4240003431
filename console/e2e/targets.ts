/** What the tests for every daemon run against: the fixture, and the real one at `TIDEGATE_URL`. */

import { startFixture } from './fixture/server.mjs';

export interface Target {
  name: string;
  start: () => Promise<{ url: string; close: () => Promise<void> }>;
}

const real = process.env['TIDEGATE_URL'];

export const TARGETS: Target[] = [
  { name: 'fixture', start: () => startFixture() },
  ...(real === undefined ? [] : [{ name: `daemon at ${real}`, start: async () => ({ url: real.endsWith('/') ? real : `${real}/`, close: async () => undefined }) }]),
];
