/** A state in a word, with a shape beside its colour. */
import type { ComponentChildren } from 'preact';
import type { Tone } from './tones.ts';

const SHAPES: Readonly<Record<Tone, string>> = {
  ok: 'M4 0a4 4 0 1 1 0 8a4 4 0 1 1 0-8z',
  info: 'M4 0a4 4 0 1 1 0 8a4 4 0 1 1 0-8z',
  warn: 'M4 0.5L8 7.5H0z',
  bad: 'M0.5 0.5h7v7h-7z',
  idle: 'M4 0a4 4 0 1 1 0 8a4 4 0 1 1 0-8zM4 2a2 2 0 1 0 0 4a2 2 0 1 0 0-4z',
};

export function Mark({ tone }: { readonly tone: Tone }) {
  return (
    <svg class={`mark tone-${tone}`} viewBox="0 0 8 8" width="8" height="8" aria-hidden="true">
      <path d={SHAPES[tone]} />
    </svg>
  );
}

export function Badge(props: {
  readonly tone: Tone;
  readonly title?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <span class={`badge tone-${props.tone}`} title={props.title}>
      <Mark tone={props.tone} />
      {props.children}
    </span>
  );
}
