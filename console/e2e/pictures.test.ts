/** Pictures of every page for people to look at, in `test-results/`. */

import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';
import { ADDRESSES, PANELS, SCHEMES, WIDTHS, launch, open } from './browser';
import { startFixture } from './fixture/server.mjs';

const FOLDER = fileURLToPath(new URL('../test-results/', import.meta.url));

const VIEWS = { ...ADDRESSES, ...PANELS };

let browser: Browser;
let fixture: Awaited<ReturnType<typeof startFixture>>;
beforeAll(async () => {
  await mkdir(FOLDER, { recursive: true });
  browser = await launch();
  fixture = await startFixture({ still: true });
});
afterAll(async () => {
  await browser.close();
  await fixture.close();
});

test.each(Object.entries(VIEWS))('%s', async (name, hash) => {
  for (const width of WIDTHS) {
    for (const scheme of SCHEMES) {
      const { page } = await open(browser, fixture.url, hash, { width, scheme, still: true });
      await page.getByText('Reading…').waitFor({ state: 'detached' });
      // Charts are drawn with the next frame.
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      await page.screenshot({ path: `${FOLDER}${name}-${width}-${scheme}.png` });
      await page.close();
    }
  }
});
