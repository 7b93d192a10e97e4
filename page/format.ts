/** How numbers and times are written on the page. Pure; null is a dash. */

const NONE = '–';

/** `12.3/s`. */
export function rate(perSecond: number | null | undefined): string {
  if (perSecond === null || perSecond === undefined) return NONE;
  return perSecond >= 1000 ? `${short(perSecond)}/s` : `${digits(perSecond)}/s`;
}

/** `4.2%` of 0.042. */
export function share(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  return `${digits(100 * value)}%`;
}

/** `80%`, `33.3%`: without zeros at the end, for texts. */
export function percent(value: number | null): string {
  return value === null ? NONE : `${Number((100 * value).toPrecision(3))}%`;
}

/** `48.1 ms`, `1.25 s`. */
export function millis(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return NONE;
  return ms >= 1000 ? `${digits(ms / 1000)} s` : `${digits(ms)} ms`;
}

/** `1,234,567`. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : Math.round(value).toLocaleString('en-US');
}

/** `1.2k`, `3.4M`. */
export function short(value: number): string {
  if (value >= 1e6) return `${digits(value / 1e6)}M`;
  return value >= 1000 ? `${digits(value / 1000)}k` : digits(value);
}

/** `90%` as 0.9; 0 for what is none. */
export function shareOf(percent: string): number {
  const value = Number.parseFloat(percent);
  return Number.isFinite(value) ? value / 100 : 0;
}

/** `14:03:22`, with the day where it is not today. */
export function time(iso: string, now: Date): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return NONE;
  const clock = at.toLocaleTimeString('en-GB');
  return at.toDateString() === now.toDateString() ? clock : `${day(iso)} ${clock}`;
}

/** `21 Nov 2026`. */
export function day(iso: string): string {
  return new Date(iso).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
}

/** `3 s ago`, `5 min ago`, `2 d ago`. */
export function ago(iso: string, now: Date): string {
  const seconds = Math.max(0, (now.getTime() - new Date(iso).getTime()) / 1000);
  if (Number.isNaN(seconds)) return NONE;
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`;
}

/** A reason as a sentence of the page: with a capital, and arrows that are arrows. */
export function sentence(reason: string): string {
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}`.replaceAll('->', '→');
}

/** Words for a name in camelCase: `no difference`. */
export function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll('-', ' ');
}

/** Three digits that count. */
function digits(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 100) return String(Math.round(value));
  return size >= 10 ? value.toFixed(1) : value.toFixed(size >= 0.01 ? 2 : 4);
}
