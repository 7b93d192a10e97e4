/** The variants that serve a request, as `x-fairlead-variant` and the hint for caches say them. */
import type { Participation } from './decision.ts';

/** `ranking=candidate, banner=control` (RFC 9651 dictionary), of the first `count`. */
export function servedText(participations: readonly Participation[], count: number): string {
  let text = '';
  for (let i = 0; i < count; i++) {
    const { assignment, served } = participations[i]!;
    const member = `${assignment!.experiment.name}=${served!.variant.name}`;
    text = text === '' ? member : `${text}, ${member}`;
  }
  return text;
}
