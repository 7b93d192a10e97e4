/** Times, with the exact one behind the one that is easy to read. */
import { now } from '../clock.ts';
import { ago, time } from '../format.ts';

/** `3 min ago`. */
export function Ago({ at }: { readonly at: string }) {
  return (
    <time dateTime={at} title={at}>
      {ago(at, now.value)}
    </time>
  );
}

/** `14:03:22`, with the day where it is another. */
export function At({ at }: { readonly at: string }) {
  return (
    <time dateTime={at} title={at} class="number">
      {time(at, now.value)}
    </time>
  );
}
