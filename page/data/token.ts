/** The bearer token a person has given: for this tab only, and gone with it. It is sent to this origin and nowhere else. */
import { signal } from '@preact/signals';

const KEY = 'fairlead-token';

/** Null: none was given. */
export const token = signal<string | null>(sessionStorage.getItem(KEY));

export function keepToken(text: string): void {
  sessionStorage.setItem(KEY, text);
  token.value = text;
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
  token.value = null;
}
