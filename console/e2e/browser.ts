/** A real browser, and what every page must not do in it. */

import { chromium, type Browser, type Page } from 'playwright-core';

const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const WIDTHS = [1280, 400] as const;
export const SCHEMES = ['light', 'dark'] as const;
export const ADDRESSES = { now: '#/now', flow: '#/flow', consumers: '#/consumers', 'dead-letters': '#/dead-letters' } as const;

/** Views of the fixture's busy system with something open. */
export const PANELS = {
  'flow-node': '#/flow?node=event:OrderPlaced',
  'flow-table': '#/flow?view=table',
  consumer: '#/consumers?open=billing/OrderPlaced',
  'dead-letter': '#/dead-letters?consumer=billing/OrderPlaced&group=77ae01&letter=billing/OrderPlaced/881000',
} as const;

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
}

/** A page together with what went wrong in it. */
export interface Watched {
  page: Page;
  /** Console errors and warnings, exceptions, and requests to elsewhere. */
  problems: string[];
}

export interface Look {
  width?: number;
  scheme?: 'light' | 'dark';
  still?: boolean;
}

/** Opens an address and waits until the first snapshot is shown. */
export async function open(browser: Browser, url: string, hash: string, { width = 1280, scheme = 'light', still = false }: Look = {}): Promise<Watched> {
  const page = await browser.newPage({ viewport: { width, height: 860 }, colorScheme: scheme, reducedMotion: still ? 'reduce' : 'no-preference' });
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) problems.push(`request to ${request.url()}`);
  });
  await page.goto(url + hash);
  await page.locator('header .system').waitFor();
  await page.locator('main h1').first().waitFor();
  return { page, problems };
}

/** How many pixels the page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** The accessible name of what has the focus, with its role. */
export function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement;
    return `${element?.tagName.toLowerCase()} ${element?.getAttribute('aria-label') ?? element?.textContent?.trim() ?? ''}`;
  });
}
