/** A line without axes: how something went lately. Its values are said beside it, so it is only drawn. */

const WIDTH = 72;
const HEIGHT = 20;
const PADDING = 2;
/** Points that fill it; fewer stand at its right end. */
const POINTS = 60;

export function Sparkline({ values }: { readonly values: readonly number[] }) {
  if (values.length < 2) return <svg class="sparkline" width={WIDTH} height={HEIGHT} aria-hidden="true" />;
  const max = Math.max(...values, 1e-9);
  const step = WIDTH / (POINTS - 1);
  const left = WIDTH - step * (values.length - 1);
  const y = (value: number) => (HEIGHT - PADDING - (value / max) * (HEIGHT - 2 * PADDING)).toFixed(1);
  const line = values.map((value, index) => `${(left + index * step).toFixed(1)},${y(value)}`).join(' ');
  return (
    <svg
      class="sparkline"
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      aria-hidden="true"
    >
      <polygon class="sparkline-area" points={`${left.toFixed(1)},${HEIGHT} ${line} ${WIDTH},${HEIGHT}`} />
      <polyline class="sparkline-line" points={line} />
    </svg>
  );
}
