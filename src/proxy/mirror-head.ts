/**
 * The head of a request as it is sent to one variant beside the caller: that of the request itself, but for the variant that
 * it carries, and a field that says what it is. Pure.
 */
import type { PropagationSettings } from '../config/snapshot.ts';
import { writeBaggage } from '../propagation/baggage.ts';
import { readCarried, writeExperimentHeader } from '../propagation/header.ts';

/** Says to whoever gets it that nobody waits for the answer. */
export const MIRROR_FIELD = 'x-fairlead-mirror';

export interface MirrorTarget {
  readonly experiment: string;
  readonly variant: string;
  /** Nothing of ours may go to the host of the request. */
  readonly isKeptIn: boolean;
}

/** @param head as sent for the caller, with its empty line */
export function mirrorHead(head: string, propagation: PropagationSettings, target: MirrorTarget): string {
  const lines = head.slice(0, -4).split('\r\n');
  const { header, tokenHeader, baggage: hasBaggage } = propagation;
  // A token vouches for the variant that the caller has, and nobody waits for a 100.
  const cut = new Set(['expect', tokenHeader.toLowerCase()]);
  let added = `${MIRROR_FIELD}: 1\r\n`;
  if (!target.isKeptIn) {
    const members = [{ name: target.experiment, variant: target.variant }];
    const carried = readCarried(valueIn(lines, header), null);
    cut.add(header.toLowerCase());
    added += `${header}: ${writeExperimentHeader(carried, members)}\r\n`;
    if (hasBaggage) {
      cut.add('baggage');
      added += `baggage: ${writeBaggage(valueIn(lines, 'baggage'), members)}\r\n`;
    }
  }
  const kept = lines.filter((line, index) => index === 0 || !cut.has(nameOf(line)));
  return `${kept.join('\r\n')}\r\n${added}\r\n`;
}

function valueIn(lines: readonly string[], name: string): string | null {
  const wanted = name.toLowerCase();
  const values = lines.flatMap((line, index) =>
    index > 0 && nameOf(line) === wanted ? [line.slice(line.indexOf(':') + 1).trim()] : [],
  );
  return values.length === 0 ? null : values.join(', ');
}

function nameOf(line: string): string {
  return line.slice(0, Math.max(0, line.indexOf(':'))).toLowerCase();
}
