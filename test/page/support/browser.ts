/** Debian's Chromium, without a window, and what it tells of a page. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';

/** The machine has it; elsewhere these tests are left out. */
export const hasBrowser = existsSync(CHROMIUM);

export function openBrowser(): Promise<Browser> {
  // In a container there is no sandbox to be had for root.
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}

export interface Watched {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Errors in the console, violations of the CSP among them, and what was thrown. */
  readonly complaints: string[];
  /** URLs that were asked for. */
  readonly requested: string[];
}

export async function openPage(
  browser: Browser,
  origin: string,
  options: {
    readonly isDark?: boolean;
    readonly hash?: string;
    readonly width?: number;
    readonly height?: number;
    /** Time can be put on by `page.clock`. */
    readonly hasClock?: boolean;
  } = {},
): Promise<Watched> {
  const { isDark = true, hash = '#/', width = 1440, height = 900, hasClock = false } = options;
  const context = await browser.newContext({
    colorScheme: isDark ? 'dark' : 'light',
    viewport: { width, height },
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  if (hasClock) await page.clock.install();
  const complaints: string[] = [];
  const requested: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => requested.push(request.url()));
  await page.goto(`${origin}/${hash}`);
  return { context, page, complaints, requested };
}
