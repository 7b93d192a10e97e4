/** What came of what a person did, for a moment and for screen readers. */
import { signal } from '@preact/signals';
import { Mark } from './badge.tsx';
import type { Tone } from './tones.ts';

const SHOWN_MS = 8000;
const TOASTS_MAX = 4;

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: Tone;
}

const toasts = signal<readonly Toast[]>([]);
let nextId = 1;

export function say(text: string, tone: Tone): void {
  const toast = { id: nextId++, text, tone };
  toasts.value = [...toasts.value.slice(1 - TOASTS_MAX), toast];
  setTimeout(() => dismiss(toast.id), SHOWN_MS);
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, tone }) => (
        <p key={id} class="toast">
          <Mark tone={tone} /> {text}
        </p>
      ))}
    </div>
  );
}
