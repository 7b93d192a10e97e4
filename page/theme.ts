/** Dark or light: as the system has it, unless a person said otherwise here. */
import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'dark' | 'light';

const KEY = 'fairlead-theme';
const wantsDark = matchMedia('(prefers-color-scheme: dark)');

export const theme = signal<Theme>(kept());
/** What it comes to. */
export const isDark = signal(true);

export function startTheme(): void {
  wantsDark.addEventListener('change', apply);
  effect(apply);
}

/** The other one; it is kept for this browser. */
export function turnTheme(): void {
  const turned = isDark.value ? 'light' : 'dark';
  // Back to what the system has is no wish of one's own any more.
  theme.value = (turned === 'dark') === wantsDark.matches ? 'system' : turned;
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // A browser that keeps nothing shows it all the same.
  }
}

function apply(): void {
  const dark = theme.value === 'system' ? wantsDark.matches : theme.value === 'dark';
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  isDark.value = dark;
}

function kept(): Theme {
  try {
    const found = localStorage.getItem(KEY);
    return found === 'dark' || found === 'light' ? found : 'system';
  } catch {
    return 'system';
  }
}
