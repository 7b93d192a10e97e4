/** The head of a request as it goes to another variant. */
import { describe, expect, it } from 'vitest';
import { mirrorHead } from '../../../src/proxy/mirror-head.ts';
import { minimal, snapshotOf } from '../../support/config.ts';

const { propagation } = snapshotOf(minimal());
const TO_CANDIDATE = { experiment: 'ranking', variant: 'candidate', isKeptIn: false };

const headOf = (lines: string[], target = TO_CANDIDATE, settings = propagation) =>
  mirrorHead(['GET /a?b=1 HTTP/1.1', ...lines, '', ''].join('\r\n'), settings, target).split('\r\n');

describe('the head of a mirrored request', () => {
  it('is that of the request, with the other variant and a field that says what it is', () => {
    expect(
      headOf(['Host: a', 'X-Experiment: search=b, ranking=control', 'baggage: k=v,fairlead.ranking=control']),
    ).toEqual([
      'GET /a?b=1 HTTP/1.1',
      'Host: a',
      'x-fairlead-mirror: 1',
      'x-experiment: search=b, ranking=candidate',
      'baggage: k=v,fairlead.ranking=candidate',
      '',
      '',
    ]);
  });

  it('carries the variant also when the request carried nothing, and no baggage where that is off', () => {
    const lines = headOf(['Host: a'], TO_CANDIDATE, { ...propagation, baggage: false });
    expect(lines.slice(1)).toEqual([
      'Host: a',
      'x-fairlead-mirror: 1',
      'x-experiment: ranking=candidate',
      '',
      '',
    ]);
  });

  it('carries nothing of ours to a host that nothing of ours may go to', () => {
    const kept = headOf(['Host: a', 'baggage: k=v'], { ...TO_CANDIDATE, isKeptIn: true });
    expect(kept.slice(1)).toEqual(['Host: a', 'baggage: k=v', 'x-fairlead-mirror: 1', '', '']);
  });

  it('has no token, which vouches for another variant, and waits for no 100', () => {
    const { tokenHeader } = propagation;
    const lines = headOf(['Host: a', `${tokenHeader}: abc`, 'Expect: 100-continue', 'Cookie: sid=1']);
    expect(lines.join('\n')).not.toMatch(/abc|100-continue/);
    expect(lines).toContain('Cookie: sid=1');
  });
});
