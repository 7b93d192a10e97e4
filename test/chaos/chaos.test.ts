/** A short chaos run with a fixed seed. For longer ones and other seeds: `npm run chaos`, see README.md. */
import { expect, it } from 'vitest';
import { chaos } from './chaos.ts';

const SEED = 5;
const SECONDS = 15;
/** The run, the start of nine processes on a busy machine, and what has to be given back at the end. */
const TIMEOUT_MS = 90_000;

it.skipIf(process.platform !== 'linux')(
  'whatever goes wrong, nothing fails that control could answer, nothing is done twice, and nothing leaks',
  async () => {
    const { checks, figures } = await chaos({ seconds: SECONDS, seed: SEED, workers: 2, say: () => {} });
    const broken = checks.filter(({ ok }) => !ok).map(({ what, figure }) => `${what}: ${figure}`);
    expect(broken, `seed ${SEED}: ${JSON.stringify(figures)}`).toEqual([]);
    // It was a run in which something happened, or it has shown nothing.
    const told = Object.fromEntries(figures);
    expect(Number.parseInt(told.deeds!, 10)).toBeGreaterThan(10);
    expect(Number(told['served by control in the candidate’s place'])).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
