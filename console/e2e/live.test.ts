/** What changes while a page is open: numbers, states, a daemon that falls silent or goes away. */

import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launch, open } from './browser';
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

test('a new state is shown, ranked and announced', async () => {
  const { page } = await open(browser, fixture.url, '#/consumers');
  await page.getByRole('row', { name: /fraud\/OrderPlaced/ }).getByText('ok').waitFor();
  fixture.change((view) => {
    const fraud = view.consumers.find((consumer) => consumer.id === 'fraud/OrderPlaced');
    Object.assign(fraud ?? {}, { state: 'falling-behind', lag_seconds: 900 });
  });
  await page.getByRole('row', { name: /fraud\/OrderPlaced/ }).getByText('falling behind').waitFor();
  expect(await page.getByRole('row').nth(1).textContent()).toContain('15\u00a0min');
  await page.locator('[aria-live=polite]', { hasText: 'fraud/OrderPlaced is falling behind.' }).waitFor({ state: 'attached' });
  await page.close();
});

test('a refresh moves no node of the map', async () => {
  const { page } = await open(browser, fixture.url, '#/flow');
  const places = () => page.locator('[data-node]').evaluateAll((nodes) => nodes.map((node) => `${node.getAttribute('data-node')} ${node.getAttribute('transform')}`));
  const before = await places();
  fixture.change((view) => {
    for (const consumer of view.consumers) Object.assign(consumer, { lag_seconds: 70, backlog: 5, state: 'halted', out_per_second: 3000 });
  });
  await page.locator('[data-node="service:fraud"]', { hasText: 'halted' }).waitFor();
  expect(await places()).toEqual(before);
  // Nor does a panel that opens.
  await page.locator('[data-node="event:OrderPlaced"]').click();
  await page.getByRole('region', { name: 'OrderPlaced' }).waitFor();
  expect(await places()).toEqual(before);
  await page.close();
});

test('a pause holds the numbers, and going on shows the newest', async () => {
  const { page } = await open(browser, fixture.url, '#/now');
  await page.keyboard.press('p');
  await page.getByText('The numbers stand still').waitFor();
  fixture.change((view) => Object.assign(view.totals, { backlog: 77_777 }));
  await page.waitForTimeout(2500);
  expect(await page.getByText('77,777').count()).toBe(0);
  await page.keyboard.press('p');
  await page.getByText('77,777').first().waitFor();
  await page.close();
});

test('data that grows old is marked late, then stale', async () => {
  const { page } = await open(browser, fixture.url, '#/now');
  await page.locator('.age', { hasText: 'Live' }).waitFor();
  fixture.silence();
  await page.locator('.age', { hasText: 'Late' }).waitFor({ timeout: 9000 });
  await page.locator('.age', { hasText: 'Stale' }).waitFor({ timeout: 14_000 });
  await page.getByText(/^No new data since/).waitFor();
  await page.close();
});

test('a daemon that went away is said with its reason, and found again when it is back', async () => {
  const { page } = await open(browser, fixture.url, '#/now');
  fixture.refuse();
  await page.getByText('The daemon is shutting down.').waitFor({ timeout: 30_000 });
  fixture.resume();
  await page.getByRole('button', { name: 'Try now' }).click();
  await page.locator('.age', { hasText: 'Live' }).waitFor();
  expect(await page.getByText(/^No new data since/).count()).toBe(0);
  await page.close();
});

test('a daemon that is not there from the start is said, and connected to by itself', async () => {
  fixture.refuse();
  const page = await browser.newPage();
  await page.goto(fixture.url);
  await page.getByText('There is nothing to show yet').waitFor();
  await page.getByText('Wait until it is up again.').waitFor();
  fixture.resume();
  await page.getByRole('heading', { name: 'What needs attention' }).waitFor({ timeout: 12_000 });
  await page.close();
});

test('a draining and a stopped system are said', async () => {
  const { page } = await open(browser, fixture.url, '#/now');
  fixture.change((view) => Object.assign(view, { mode: 'draining' }));
  await page.getByText('The system is draining', { exact: true }).waitFor();
  fixture.change((view) => Object.assign(view, { mode: 'stopped' }));
  await page.getByText('The writer has stopped', { exact: true }).waitFor();
  await page.close();
});

test.each([
  ['calm', '#/now', 'All 10 consumers are within their objectives'],
  ['calm', '#/dead-letters', 'No dead letters'],
  ['empty', '#/now', 'Nothing needs attention'],
  ['empty', '#/flow', 'The design has no services and no events yet'],
  ['empty', '#/consumers', 'The design has no consumers yet'],
  ['large', '#/flow', /of 300 nodes/],
] as const)('a %s system at %s is worded', async (scenario, hash, words) => {
  const other = await startFixture({ scenario });
  const { page, problems } = await open(browser, other.url, hash);
  await page.getByText(words).first().waitFor();
  expect(problems).toEqual([]);
  await page.close();
  await other.close();
});
