/**
 * Lines over time, drawn by uPlot on a canvas: one colour a variant, gaps where nothing was seen. The numbers under the
 * pointer, or the last ones, are in the legend as text. Charts of one group share their pointer.
 */
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { isDark } from '../theme.ts';
import { Swatch } from './variant-key.tsx';

const HEIGHT = 160;
const AXIS_PX = 52;
const TIME_AXIS_PX = 24;
/** Seconds that marks may be apart. */
const TIME_STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

export interface Line {
  readonly name: string;
  /** Of the colours of variants. */
  readonly index: number;
  /** Null: nothing was seen then. */
  readonly values: readonly (number | null)[];
}

export interface ChartProps {
  readonly title: string;
  /** Seconds since the epoch, rising. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number | null) => string;
  /** The axis reaches at least so far, so that noise near nothing is not drawn as mountains. */
  readonly reach: number;
  /** Charts with the same one move their pointers together. */
  readonly group: string;
}

export function Chart({ title, times, lines, format, reach, group }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const hovered = useSignal<number | null>(null);
  const shape = lines.map(({ name, index }) => `${name}:${index}`).join();
  const data = useMemo(
    () => [times, ...lines.map((line) => line.values)] as uPlot.AlignedData,
    [times, lines],
  );
  const latest = useRef(data);
  latest.current = data;

  const draw = () => {
    const element = place.current;
    if (element === null) return;
    plot.current?.destroy();
    const onHover = (chart: uPlot) => {
      hovered.value = chart.cursor.idx ?? null;
    };
    plot.current = new uPlot(
      optionsOf({ lines, format, reach, group, width: element.clientWidth, onHover }),
      latest.current,
      element,
    );
  };
  useSignalEffect(() => {
    // The colours on a canvas do not change by themselves.
    isDark.value;
    draw();
  });
  useEffect(() => {
    draw();
    const observer = new ResizeObserver(([entry]) => {
      const width = entry?.contentRect.width ?? 0;
      if (width > 0) plot.current?.setSize({ width, height: HEIGHT });
    });
    observer.observe(place.current!);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data), [data]);

  const at = hovered.value ?? times.length - 1;
  const shown = lines.map((line) => ({ ...line, text: format(line.values[at] ?? null) }));
  const summary = `${title}, the last: ${lines.map((line) => `${line.name} ${format(line.values.at(-1) ?? null)}`).join(', ')}`;
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="chart-time">{hovered.value === null ? 'now' : clock(times[at] ?? 0)}</span>
      </figcaption>
      <ul class="legend">
        {shown.map(({ name, index, text }) => (
          <li key={name}>
            <Swatch index={index} /> {name} <b>{text}</b>
          </li>
        ))}
      </ul>
      <div ref={place} class="chart-canvas" role="img" aria-label={summary} />
    </figure>
  );
}

interface Drawn extends Pick<ChartProps, 'lines' | 'format' | 'reach' | 'group'> {
  readonly width: number;
  readonly onHover: (chart: uPlot) => void;
}

function optionsOf({ lines, format, reach, group, width, onHover }: Drawn): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour('--text-muted'),
    grid: { stroke: colour('--line-faint'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  return {
    width: Math.max(width, 200),
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 24, 0, 0],
    cursor: { sync: { key: group }, y: false, points: { size: 5 }, drag: { x: false, y: false } },
    scales: { y: { range: (_chart, _min, max) => [0, Math.max(max * 1.1, reach)] } },
    hooks: { setCursor: [onHover] },
    axes: [
      {
        ...axis,
        size: TIME_AXIS_PX,
        space: 80,
        incrs: TIME_STEPS,
        values: timeMarks,
      },
      {
        ...axis,
        size: AXIS_PX,
        space: 32,
        values: (_chart, splits) => splits.map((value) => withoutZeros(format(value))),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, index }) => ({
        label: name,
        stroke: colour(`--variant-${index}`),
        width: 1.5,
        points: { show: false },
        spanGaps: false,
      })),
    ],
  };
}

/** With seconds where the marks are less than a minute apart. */
function timeMarks(_chart: uPlot, splits: number[], _axis: number, _space: number, step: number): string[] {
  return splits.map((at) => clock(at).slice(0, step < 60 ? 8 : 5));
}

/** `60/s` of `60.0/s`: marks are round. */
function withoutZeros(text: string): string {
  return text.replace(/\.0+(?!\d)/, '');
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB');
}
