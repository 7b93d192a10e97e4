/**
 * An interval of a difference, drawn: zero in the middle, the margin as a band around it, of a guardrail as a line that
 * must not be crossed, with what is beyond it shaded. An end that is not known runs out of the picture. The same is said
 * in words beside it.
 */
import type { Tone } from './tones.ts';

const WIDTH = 200;
const HEIGHT = 28;
const MIDDLE = WIDTH / 2;
const Y = HEIGHT / 2;
/** Room at both sides of the furthest thing that is drawn. */
const ROOM = 1.15;

export interface IntervalProps {
  readonly low: number | null;
  readonly high: number | null;
  readonly difference: number | null;
  readonly margin: number;
  readonly better: 'lower' | 'higher';
  readonly isGuardrail: boolean;
  readonly tone: Tone;
}

export function IntervalBar(props: IntervalProps) {
  const { low, high, difference, margin, better, isGuardrail, tone } = props;
  const known = [low, high, difference, margin].filter((value) => value !== null).map(Math.abs);
  const reach = Math.max(...known, 1e-12) * ROOM;
  const x = (value: number) => MIDDLE + (value / reach) * MIDDLE;
  const from = low === null ? 0 : x(low);
  const to = high === null ? WIDTH : x(high);
  const isKnown = low !== null || high !== null;
  const half = x(margin) - MIDDLE;
  // Where the candidate would be worse, and from where on by too much.
  const limit = better === 'lower' ? MIDDLE + half : MIDDLE - half;
  const worseX = better === 'lower' ? limit : 0;
  const worseWidth = better === 'lower' ? WIDTH - limit : limit;
  return (
    <svg class="interval" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      {isGuardrail ? (
        <>
          <rect class="interval-worse" x={worseX} y={0} width={worseWidth} height={HEIGHT} />
          <line class="interval-limit" x1={limit} x2={limit} y1={0} y2={HEIGHT} />
        </>
      ) : (
        <rect class="interval-margin" x={MIDDLE - half} y={4} width={2 * half} height={HEIGHT - 8} />
      )}
      <line class="interval-zero" x1={MIDDLE} x2={MIDDLE} y1={0} y2={HEIGHT} />
      {isKnown && (
        <g class={`tone-${tone}`}>
          <line class="interval-line" x1={from} x2={to} y1={Y} y2={Y} />
          {low !== null && <line class="interval-line" x1={from} x2={from} y1={Y - 5} y2={Y + 5} />}
          {high !== null && <line class="interval-line" x1={to} x2={to} y1={Y - 5} y2={Y + 5} />}
          {difference !== null && <circle class="interval-point" cx={x(difference)} cy={Y} r={3.5} />}
        </g>
      )}
    </svg>
  );
}
