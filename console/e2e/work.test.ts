/** What an operator does: find, open, decide; with the mouse and with the keyboard alone. */

import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { focused, launch, open } from './browser';
import { startFixture } from './fixture/server.mjs';

let browser: Browser;
let fixture: Awaited<ReturnType<typeof startFixture>>;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());
beforeEach(async () => {
  fixture = await startFixture({ still: true });
});
afterEach(() => fixture.close());

/** Presses Tab until what has the focus is so named. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let presses = 0; presses < 120; presses += 1) {
    await page.keyboard.press('Tab');
    if (name.test(await focused(page))) return;
  }
  expect.fail(`Tab never reached ${name}`);
}

describe('redrive', () => {
  test('of a group, with the keyboard alone: asks with count and risk, posts, says what became of it', async () => {
    const { page, problems } = await open(browser, fixture.url, '#/dead-letters');
    await page.getByRole('link', { name: 'card token … is not known' }).waitFor();
    await tabTo(page, /^button Redrive the group of 22/);
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Redrive 22 dead letters of billing/OrderPlaced?' });
    await dialog.waitFor();
    expect(await dialog.textContent()).toContain('part of the work');
    expect(await focused(page)).toBe('button Cancel');
    expect(fixture.redrives).toEqual([]);
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('button Redrive 22');
    await page.keyboard.press('Enter');
    await page.getByText('22 dead letters redriven.').waitFor();
    expect(fixture.redrives).toEqual([{ consumer: 'billing/OrderPlaced', group: 'b1f0c2' }]);
    await page.waitForFunction(() => document.activeElement?.textContent?.includes('redriven') && document.activeElement.getAttribute('role') === 'status');
    await page.getByText('3 causes').waitFor();
    expect(problems).toEqual([]);
    await page.close();
  });

  test('can be called off with Escape, and the focus comes back', async () => {
    const { page } = await open(browser, fixture.url, '#/dead-letters');
    await tabTo(page, /^button Redrive the group of 15/);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: /^Redrive 15/ }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name: /^Redrive 15/ }).waitFor({ state: 'detached' });
    expect(await focused(page)).toMatch(/^button Redrive the group of 15/);
    expect(fixture.redrives).toEqual([]);
    await page.close();
  });

  test('of one letter, from its panel', async () => {
    const { page } = await open(browser, fixture.url, '#/dead-letters?consumer=inventory/OrderPlaced');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    const panel = page.getByRole('region', { name: /^inventory\/OrderPlaced\/\d+$/ });
    await panel.getByText('"orderId"').waitFor();
    expect(await panel.textContent()).toContain('partitionkey');
    await panel.getByRole('button', { name: 'Redrive this one' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Redrive 1' }).click();
    await page.getByText('1 dead letter redriven.').waitFor();
    expect(fixture.redrives).toEqual([{ ids: ['inventory/OrderPlaced/882000'] }]);
    expect(new URL(page.url()).hash).toBe('#/dead-letters?consumer=inventory/OrderPlaced');
    await page.close();
  });

  test('of all that a consumer has', async () => {
    const { page } = await open(browser, fixture.url, '#/dead-letters');
    await page.getByRole('combobox', { name: 'Consumer' }).selectOption('billing/OrderPlaced');
    await page.getByRole('button', { name: 'Redrive all of billing/OrderPlaced' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Redrive 37' }).click();
    await page.getByText('37 dead letters redriven.').waitFor();
    expect(fixture.redrives).toEqual([{ consumer: 'billing/OrderPlaced' }]);
    await page.close();
  });

  test('that fails says so and can be tried again', async () => {
    const { page } = await open(browser, fixture.url, '#/dead-letters');
    await page.getByRole('button', { name: /^Redrive the group of 4/ }).click();
    await page.route('**/redrive', (route) => route.fulfill({ status: 409, json: { error: { code: 'halted', message: 'The consumer is halted.', hint: 'Mend its endpoint first.' } } }));
    await page.getByRole('button', { name: 'Redrive 4' }).click();
    await page.getByRole('dialog').getByText('The consumer is halted.').waitFor();
    await page.getByRole('dialog').getByText('Mend its endpoint first.').waitFor();
    await page.unroute('**/redrive');
    await page.getByRole('button', { name: 'Redrive 4' }).click();
    await page.getByText('4 dead letters redriven.').waitFor();
    await page.close();
  });

  test('that is refused in part lists what and why', async () => {
    const { page } = await open(browser, fixture.url, '#/dead-letters');
    await page.route('**/redrive', (route) => route.fulfill({ json: { redriven: 3, refused: [{ id: 'inventory/OrderPlaced/882021', reason: 'its key is busy' }] } }));
    await page.getByRole('button', { name: /^Redrive the group of 4/ }).click();
    await page.getByRole('button', { name: 'Redrive 4' }).click();
    await page.getByText('3 dead letters redriven. 1 refused.').waitFor();
    await page.getByText('its key is busy').waitFor();
    await page.close();
  });
});

describe('the map, with the keyboard', () => {
  test('arrows walk along edges, Enter opens, Escape gives the focus back', async () => {
    const { page } = await open(browser, fixture.url, '#/flow');
    await tabTo(page, /^g OrderPlaced, .*falling behind/);
    await page.keyboard.press('ArrowLeft');
    expect(await focused(page)).toMatch(/^g orders, /);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await page.getByRole('region', { name: 'OrderPlaced' }).waitFor();
    expect(page.url()).toContain('node=event:OrderPlaced');
    await page.keyboard.press('Escape');
    await page.getByRole('region', { name: 'OrderPlaced' }).waitFor({ state: 'detached' });
    expect(await focused(page)).toMatch(/^g OrderPlaced/);
    await page.close();
  });

  test('brackets go from problem to problem', async () => {
    const { page } = await open(browser, fixture.url, '#/flow');
    await page.keyboard.press(']');
    expect(await focused(page)).toMatch(/^g OrderPlaced, .*falling behind/);
    await page.keyboard.press(']');
    expect(await focused(page)).toMatch(/stalled|falling behind|open/);
    await page.close();
  });

  test('t shows the same as a table, and the address keeps it', async () => {
    const { page } = await open(browser, fixture.url, '#/flow');
    await page.keyboard.press('t');
    const rows = page.getByRole('table').getByRole('row');
    await rows.nth(1).waitFor();
    expect(await rows.nth(1).textContent()).toContain('falling behind');
    expect(await rows.count()).toBe(1 + 18);
    await page.reload();
    await rows.nth(1).waitFor();
    await page.close();
  });

  test('f keeps what is near, and all again; g f is not f', async () => {
    const { page } = await open(browser, fixture.url, '#/flow?node=dependency:mail-gateway');
    const nodes = page.locator('[data-node]');
    await nodes.first().waitFor();
    expect(await nodes.count()).toBe(17);
    await page.keyboard.press('g');
    await page.keyboard.press('f');
    await page.waitForTimeout(200);
    expect(await nodes.count()).toBe(17);
    await page.keyboard.press('f');
    await page.getByText(/of 17 nodes/).waitFor();
    expect(await nodes.count()).toBeLessThan(17);
    await page.keyboard.press('f');
    await page.getByText(/of 17 nodes/).waitFor({ state: 'detached' });
    await page.close();
  });
});

describe('the consumers', () => {
  test('are most urgent first; a column sorts; the address keeps it', async () => {
    const { page } = await open(browser, fixture.url, '#/consumers');
    const first = page.getByRole('row').nth(1);
    expect(await first.textContent()).toContain('billing');
    await page.getByRole('button', { name: 'Dead', exact: true }).click();
    await page.getByRole('columnheader', { name: 'Consumer' }).getByRole('button').click();
    expect(await page.getByRole('columnheader', { name: 'Consumer' }).getAttribute('aria-sort')).toBe('ascending');
    expect(page.url()).toContain('sort=consumer');
    await page.reload();
    await page.getByRole('columnheader', { name: 'Consumer' }).waitFor();
    expect(await page.getByRole('columnheader', { name: 'Consumer' }).getAttribute('aria-sort')).toBe('ascending');
    await page.close();
  });

  test('a search that finds nothing says so and lets go', async () => {
    const { page } = await open(browser, fixture.url, '#/consumers');
    await page.keyboard.press('/');
    await page.keyboard.type('nobody at all');
    await page.getByText('0 of 10 consumers').first().waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.getByRole('row').nth(9).waitFor();
    await page.close();
  });

  test('a row opens its panel with the limiting factor and charts; “back” closes it', async () => {
    const { page } = await open(browser, fixture.url, '#/consumers');
    await page.getByRole('row', { name: /billing\/OrderPlaced/ }).click();
    const panel = page.getByRole('region', { name: 'billing/OrderPlaced' });
    await panel.getByText('All 16 slots are busy').waitFor();
    expect(await panel.locator('canvas').count()).toBe(3);
    await panel.getByRole('button', { name: 'Table of Lag' }).click();
    expect(await panel.getByRole('row').count()).toBeGreaterThan(10);
    await page.goBack();
    await panel.waitFor({ state: 'detached' });
    await page.close();
  });

  test('are cards on a narrow page, and a card opens the panel', async () => {
    const { page } = await open(browser, fixture.url, '#/consumers', { width: 400 });
    await page.getByRole('link', { name: 'billing/OrderPlaced' }).click();
    await page.getByRole('region', { name: 'billing/OrderPlaced' }).getByText('All 16 slots are busy').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('region', { name: 'billing/OrderPlaced' }).waitFor({ state: 'detached' });
    await page.close();
  });
});

test('a sentence of what needs attention leads to its cause', async () => {
  const { page } = await open(browser, fixture.url, '#/now');
  await page.getByRole('link', { name: 'Show carrier-api on the map' }).click();
  await page.getByRole('region', { name: 'carrier-api' }).getByText('breaker open').waitFor();
  await page.close();
});

test('? explains the keys, and keys do nothing behind it', async () => {
  const { page } = await open(browser, fixture.url, '#/now');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await page.keyboard.press('p');
  expect(await page.getByText('The numbers stand still').count()).toBe(0);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor({ state: 'hidden' });
  await page.close();
});

describe('a redrive job', () => {
  test('is shown with its progress, and paused, resumed and cancelled', async () => {
    const { page, problems } = await open(browser, fixture.url, '#/dead-letters');
    await page.getByText('Job 4: running').waitFor();
    await page.getByText('20 of 40 letters verified, 1 failed again, 5 on their way, 14 waiting').waitFor();
    await page.getByText('It waits: the breaker payments-api is open.').waitFor();
    await page.getByRole('button', { name: 'Pause redrive job 4' }).click();
    await page.getByText('Job 4: paused').waitFor();
    await page.getByRole('button', { name: 'Resume redrive job 4' }).click();
    await page.getByText('Job 4: running').waitFor();
    await page.getByRole('button', { name: 'Cancel redrive job 4' }).click();
    await page.getByText('Job 4: cancelled').waitFor();
    expect(await page.getByRole('button', { name: /redrive job 4/ }).count()).toBe(0);
    expect(fixture.turns).toEqual(['pause 4', 'resume 4', 'cancel 4']);
    expect(problems).toEqual([]);
    await page.close();
  });
});
