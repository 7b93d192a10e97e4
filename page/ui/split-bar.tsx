/** How the units are to be shared out, and below it how the requests were. */
import { share } from '../format.ts';
import type { SplitPart } from './variants.ts';

export function SplitBar({ parts }: { readonly parts: readonly SplitPart[] }) {
  return (
    <svg
      class="split-bar"
      viewBox="0 0 100 10"
      preserveAspectRatio="none"
      role="img"
      aria-label={splitWords(parts)}
    >
      <Row parts={parts} of={(part) => part.wanted} y={0} height={6} />
      <Row parts={parts} of={(part) => part.seen ?? 0} y={7} height={3} />
    </svg>
  );
}

function Row(props: {
  readonly parts: readonly SplitPart[];
  readonly of: (part: SplitPart) => number;
  readonly y: number;
  readonly height: number;
}) {
  let x = 0;
  return (
    <>
      {props.parts.map((part) => {
        const width = 100 * props.of(part);
        const at = x;
        x += width;
        return (
          <rect
            key={part.name}
            class={`variant-${part.index}`}
            x={at}
            y={props.y}
            width={Math.max(0, width - 0.6)}
            height={props.height}
          />
        );
      })}
    </>
  );
}

function splitWords(parts: readonly SplitPart[]): string {
  return parts
    .map(
      ({ name, wanted, seen }) =>
        `${name}: ${share(wanted)} wanted, ${seen === null ? 'none' : share(seen)} seen`,
    )
    .join('; ');
}
