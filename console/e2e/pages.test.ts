/** What holds on every page, for every daemon. */

import axe from 'axe-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADDRESSES, SCHEMES, WIDTHS, launch, open, overflow } from './browser';
import { TARGETS } from './targets';

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

describe.each(TARGETS)('$name', ({ start }) => {
  let target: { url: string; close: () => Promise<void> };
  beforeAll(async () => {
    target = await start();
  });
  afterAll(() => target.close());

  const looks = Object.entries(ADDRESSES).flatMap(([name, hash]) => WIDTHS.flatMap((width) => SCHEMES.map((scheme) => ({ name, hash, width, scheme }))));

  test.each(looks)('$name, $width wide, $scheme: loads, fits, and can be used by everybody', async ({ hash, width, scheme }) => {
    const { page, problems } = await open(browser, target.url, hash, { width, scheme, still: true });
    await page.waitForLoadState('load');
    // Lists that are read apart from the stream.
    await page.getByText('Reading…').waitFor({ state: 'detached' });
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    expect(await accessibility(page)).toEqual([]);
    expect(problems).toEqual([]);
    await page.close();
  });

  test('snapshots keep coming', async () => {
    const { page, problems } = await open(browser, target.url, '#/now');
    const shown = page.locator('[data-age]');
    await shown.waitFor();
    // Without new ones, the age would be at least four seconds then.
    await page.waitForTimeout(4000);
    expect(Number(await shown.getAttribute('data-age'))).toBeLessThan(3);
    expect(problems).toEqual([]);
    await page.close();
  });

  test('the keyboard reaches every page', async () => {
    const { page } = await open(browser, target.url, '#/now');
    for (const [key, title] of [['f', 'Flow'], ['c', 'Consumers'], ['d', 'Dead letters'], ['n', 'What needs attention']] as const) {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
    }
    await page.close();
  });

  test('the first Tab offers to skip to the content', async () => {
    const { page } = await open(browser, target.url, '#/consumers');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('content');
    await page.close();
  });

  test('colours are chosen and remembered', async () => {
    const { page } = await open(browser, target.url, '#/now', { scheme: 'light' });
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await page.getByRole('button', { name: /^Colours/ }).click();
    expect(await ground()).toBe(light);
    await page.getByRole('button', { name: /^Colours/ }).click();
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    await page.locator('header .system').waitFor();
    expect(await ground()).toBe(dark);
    await page.close();
  });
});

/** The rules of WCAG 2.2 AA that a machine can check, and axe's own best practices; what is broken and where. */
async function accessibility(page: Awaited<ReturnType<typeof open>>['page']): Promise<string[]> {
  await page.evaluate(axe.source);
  const broken = await page.evaluate(async () => {
    const checker = (globalThis as unknown as { axe: typeof axe }).axe;
    const { violations } = await checker.run(document);
    return violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.slice(0, 3).map((node) => node.html) }));
  });
  return broken.filter(({ impact }) => impact !== 'minor').map(({ id, impact, where }) => `${impact} ${id}: ${where.join(' | ')}`);
}
