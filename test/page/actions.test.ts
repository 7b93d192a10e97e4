/** Changes from the page: what is asked for first, by keyboard alone, and how a refusal is told. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { violationsOf } from './support/axe.ts';
import { hasBrowser, openBrowser, openPage, type Watched } from './support/browser.ts';
import { builtPage } from './support/built.ts';
import { type FakeAdmin, startFakeAdmin, TOKEN } from './support/fake-admin.ts';

/** Run in the page. */
function isMissing(field: unknown): boolean {
  return (field as { validity: { valueMissing: boolean } }).validity.valueMissing;
}

describe.skipIf(!hasBrowser)('a change', () => {
  let browser: Browser;
  let built: Awaited<ReturnType<typeof builtPage>>;
  let admin: FakeAdmin;
  let watched: Watched;
  let page: Page;

  beforeAll(async () => {
    built = await builtPage();
    browser = await openBrowser();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    built?.remove();
  });
  beforeEach(async () => {
    admin = await startFakeAdmin(built.folder);
    watched = await openPage(browser, admin.origin, { hash: '#/experiments/checkout' });
    page = watched.page;
    await page.getByRole('button', { name: 'Start rollout' }).waitFor();
  });
  afterEach(async () => {
    await watched.context.close();
    await admin.close();
  });

  /** Tab until what has this name has the focus. */
  async function tabTo(name: string): Promise<void> {
    for (let tabs = 0; tabs < 60; tabs++) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate('document.activeElement.textContent')) === name) return;
    }
    throw new Error(`nothing called ${name} was reached by keyboard`);
  }

  test('a rollout is started by keyboard alone, with a token and a reason', async () => {
    await tabTo('Start rollout');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Start the rollout of checkout' });
    await dialog.getByText('candidate gets 1% of the units at once, then 5%, 20%, 50%, 100%.').waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.keyboard.type('release 42');
    await page.keyboard.press('Tab');
    await page.keyboard.type(TOKEN);
    await page.keyboard.press('Enter');
    await page.getByText('Start the rollout of checkout: done.').waitFor();
    expect(admin.told).toEqual([
      { method: 'POST', path: '/v1/experiments/checkout:start-rollout', body: { reason: 'release 42' } },
    ]);
    await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('Start rollout');
  });

  test('nothing is sent without a reason, and Escape sends nothing', async () => {
    await page.getByRole('button', { name: 'Start rollout' }).click();
    await page.getByRole('dialog').getByLabel('Token').fill(TOKEN);
    await page.getByRole('dialog').getByRole('button', { name: 'Start rollout' }).click();
    expect(await page.getByRole('textbox', { name: 'Reason' }).evaluate(isMissing)).toBe(true);
    await page.getByRole('textbox', { name: 'Reason' }).fill('  ');
    await page.getByRole('dialog').getByRole('button', { name: 'Start rollout' }).click();
    await page.getByText('Say why, for the record.').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(admin.told).toEqual([]);
  });

  test('a wrong token is refused with the sentence of the API, forgotten, and asked for again', async () => {
    await page.getByRole('button', { name: 'Kill experiment' }).click();
    await page.getByRole('textbox', { name: 'Reason' }).fill('errors');
    await page.getByRole('dialog').getByLabel('Token').fill('wrong');
    await page.getByRole('dialog').getByRole('button', { name: 'Kill experiment' }).click();
    await page.getByRole('alert').getByText('The bearer token is missing or wrong.').waitFor();
    await page.getByRole('dialog').getByLabel('Token').fill(TOKEN);
    await page.getByRole('dialog').getByRole('button', { name: 'Kill experiment' }).click();
    await page.getByText('Kill checkout: done.').waitFor();
    expect(admin.told.map(({ path }) => path)).toEqual(['/v1/experiments/checkout:kill']);
  });

  test('the token is asked for once, kept for this tab only, and forgotten when told so', async () => {
    for (const [verb, told] of [
      ['Pause experiment', 'Pause checkout: done.'],
      ['Kill experiment', 'Kill checkout: done.'],
    ] as const) {
      await page.getByRole('button', { name: verb }).click();
      await page.getByRole('textbox', { name: 'Reason' }).fill('a test');
      const token = page.getByRole('dialog').getByLabel('Token');
      if ((await token.count()) > 0) await token.fill(TOKEN);
      await page.getByRole('dialog').getByRole('button', { name: verb }).click();
      await page.getByText(told).waitFor();
    }
    expect(await page.evaluate('[sessionStorage.length, localStorage.length, document.cookie]')).toEqual([
      1,
      0,
      '',
    ]);
    await page.getByRole('button', { name: 'Forget token' }).click();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });

  test('weights are sent as they were typed, and a refusal is told with its hint', async () => {
    admin.answer = {
      status: 422,
      body: {
        status: 422,
        code: 'change_invalid',
        detail: 'The weights add up to 120%.',
        hint: 'give at most 100%',
      },
    };
    await page.getByRole('button', { name: 'Set weights' }).click();
    await page.getByRole('dialog').getByLabel('candidate').fill('120%');
    await page.getByRole('textbox', { name: 'Reason' }).fill('looks good');
    await page.getByRole('dialog').getByLabel('Token').fill(TOKEN);
    await page.getByRole('dialog').getByRole('button', { name: 'Set weights' }).click();
    await page.getByRole('alert').getByText('The weights add up to 120%.').waitFor();
    await page.getByRole('alert').getByText('give at most 100%').waitFor();
    admin.answer = null;
    await page.getByRole('dialog').getByLabel('candidate').fill('25%');
    await page.getByRole('dialog').getByRole('button', { name: 'Set weights' }).click();
    await page.getByText('Set the weights of checkout: done.').waitFor();
    expect(admin.told).toEqual([
      {
        method: 'POST',
        path: '/v1/experiments/checkout/weights',
        body: { weights: { candidate: '25%' }, reason: 'looks good' },
      },
    ]);
  });

  test('a change that takes two people is said to wait', async () => {
    admin.answer = { status: 202, body: { approval: { id: 'a7' } } };
    await page.getByRole('button', { name: 'Start rollout' }).click();
    await page.getByRole('textbox', { name: 'Reason' }).fill('release 42');
    await page.getByRole('dialog').getByLabel('Token').fill(TOKEN);
    await page.getByRole('dialog').getByRole('button', { name: 'Start rollout' }).click();
    await page.getByText('waits for a second person (a7)').waitFor();
  });
});
