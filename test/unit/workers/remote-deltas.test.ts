/** What a worker has collected, on its way to a primary that may be slow. */
import { expect, it } from 'vitest';
import type { Delta } from '../../../src/telemetry/collection/recorder.ts';
import type { ToPrimary } from '../../../src/workers/messages.ts';
import { RemoteDeltas } from '../../../src/workers/remote-deltas.ts';

const DELTA: Delta = {
  ...{ subjects: [], listeners: [], rows: 0, dropped: 0 },
  facts: new Uint16Array(0),
  numbers: new Float64Array(0),
};

it('is sent until 32 messages wait to be read, and again when one is', () => {
  const sent: { readonly message: ToPrimary; readonly done: () => void }[] = [];
  const deltas = new RemoteDeltas((message, done) => void sent.push({ message, done }));
  for (let i = 0; i < 32; i++) expect(deltas.take(DELTA)).toBe(true);
  expect([deltas.take(DELTA), sent.length]).toEqual([false, 32]);
  expect(sent[0]!.message).toEqual({ kind: 'collected', delta: DELTA });
  sent[0]!.done();
  expect([deltas.take(DELTA), deltas.take(DELTA), sent.length]).toEqual([true, false, 33]);
});
