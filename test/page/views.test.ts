/** Every view in a real browser: nothing from elsewhere, nothing against the policy, nothing in anybody's way. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { violationsOf } from './support/axe.ts';
import { hasBrowser, openBrowser, openPage } from './support/browser.ts';
import { builtPage } from './support/built.ts';
import { type FakeAdmin, startFakeAdmin } from './support/fake-admin.ts';

/** A sentence that only the full view has. */
const VIEWS = [
  ['#/', 'Candidate is better on latency'],
  ['#/experiments/ranking', 'not worse by more than 1 pp'],
  ['#/experiments/checkout', 'Rolled back from 5%'],
  ['#/experiments/image-resize', 'This experiment is not analysed'],
  ['#/upstreams', '5 failures in a row'],
  ['#/tap', 'Nothing is tapped'],
  ['#/config', 'ranking: candidate from 5% to 20%'],
  ['#/audit', 'errors breached: 31.1%'],
  ['#/approvals', 'candidate 25%'],
] as const;

describe.skipIf(!hasBrowser)('the page', () => {
  let browser: Browser;
  let admin: FakeAdmin;
  let built: Awaited<ReturnType<typeof builtPage>>;

  beforeAll(async () => {
    built = await builtPage();
    admin = await startFakeAdmin(built.folder);
    browser = await openBrowser();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await admin?.close();
    built?.remove();
  });

  test.each(VIEWS)(
    '%s: axe has nothing to say in either theme, and it fits a telephone',
    async (hash, sentence) => {
      const { page, context, complaints, requested } = await openPage(browser, admin.origin, { hash });
      await page.getByText(sentence).first().waitFor();
      await page.getByText('live', { exact: true }).waitFor();
      expect(await violationsOf(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: 'light' });
      await page.locator('[data-theme="light"]').waitFor();
      expect(await violationsOf(page)).toEqual([]);
      await page.setViewportSize({ width: 390, height: 844 });
      await expect.poll(() => page.evaluate('document.documentElement.scrollWidth')).toBe(390);
      expect(complaints).toEqual([]);
      expect(
        requested.filter((url) => !url.startsWith(`${admin.origin}/`) && !url.startsWith('data:')),
      ).toEqual([]);
      await context.close();
    },
  );

  test('the policy holds: an inline script and a request to elsewhere are refused', async () => {
    const { page, context, complaints } = await openPage(browser, admin.origin);
    await page.getByText('live', { exact: true }).waitFor();
    await page.evaluate(`(() => {
      const script = document.createElement('script');
      script.textContent = 'window.wasRun = true';
      document.head.append(script);
      return fetch('http://127.0.0.2:9/').catch(() => null);
    })()`);
    expect(await page.evaluate('window.wasRun')).toBeUndefined();
    for (const word of ['script-src', 'connect-src'])
      await expect.poll(() => complaints.join('\n')).toContain(word);
    await context.close();
  });

  test('the theme of the system is taken, and another one kept', async () => {
    const { page, context } = await openPage(browser, admin.origin, { isDark: true });
    await page.getByRole('button', { name: 'Light', exact: true }).click();
    await page.reload();
    await page.getByRole('button', { name: 'Dark', exact: true }).waitFor();
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('light');
    await context.close();
  });

  test('the overview is searched, narrowed and sorted, by keyboard too', async () => {
    const { page, context } = await openPage(browser, admin.origin);
    const names = () => page.locator('.overview tbody th a').allTextContents();
    await page.getByText('Candidate is better on latency').waitFor();
    await expect.poll(async () => (await names()).slice(0, 2)).toEqual(['checkout', 'image-resize']);
    await page.getByRole('button', { name: /Rolling out/ }).press('Enter');
    await expect.poll(names).toEqual(['pricing-cache', 'ranking']);
    await page.getByRole('button', { name: /^All/ }).press('Enter');
    await page.getByRole('searchbox').fill('ranking-v2');
    await expect.poll(names).toEqual(['ranking']);
    await page.getByRole('searchbox').fill('');
    await page.getByRole('button', { name: 'Split', exact: true }).press('Enter');
    await expect.poll(async () => (await names())[0]).toBe('checkout');
    expect(await page.locator('th[aria-sort="ascending"]').textContent()).toBe('Split');
    await context.close();
  });

  test('requests are tapped, and how many were not shown is said', async () => {
    const { page, context } = await openPage(browser, admin.origin, { hash: '#/tap' });
    await page.getByRole('button', { name: 'Tap', exact: true }).click();
    await page.getByText('Tapping: 30 shown, 12 more were not shown').waitFor();
    expect(await page.locator('.tap tbody tr').count()).toBe(30);
    expect(await violationsOf(page)).toEqual([]);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Nothing is tapped').waitFor();
    await context.close();
  });
});
