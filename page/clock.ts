/** The time as the page shows it, moved on once a second. */
import { signal } from '@preact/signals';

export const now = signal(new Date());

export function startClock(): void {
  setInterval(() => {
    if (document.visibilityState === 'visible') now.value = new Date();
  }, 1000);
}
