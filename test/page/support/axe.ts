/** What axe finds wrong with a page, a line each: rule, and the elements it is about. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const SOURCE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RUN = `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
  violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 160)).join(' | ')))`;

export async function violationsOf(page: Page): Promise<string[]> {
  // By the debugger, which the policy of the page does not hold for.
  await page.evaluate(SOURCE);
  return (await page.evaluate(RUN)) as string[];
}
