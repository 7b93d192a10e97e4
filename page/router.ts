/** Which view is shown, by the hash of the address: `#/experiments/ranking`. */
import { computed, signal } from '@preact/signals';

const hash = signal(location.hash);
addEventListener('hashchange', () => {
  hash.value = location.hash;
});

export type Place =
  | { readonly view: 'overview' | 'upstreams' | 'tap' | 'config' | 'audit' | 'approvals' }
  | { readonly view: 'experiment'; readonly name: string }
  | { readonly view: 'nowhere' };

export const place = computed<Place>(() => placeOf(hash.value));

/** What an address stands for. */
export function placeOf(text: string): Place {
  const [view = '', ...rest] = text.replace(/^#?\/?/, '').split('/');
  switch (view) {
    case '':
      return { view: 'overview' };
    case 'experiments':
      return rest.length === 0 ? { view: 'overview' } : { view: 'experiment', name: decoded(rest.join('/')) };
    case 'upstreams':
    case 'tap':
    case 'config':
    case 'audit':
    case 'approvals':
      return { view };
    default:
      return { view: 'nowhere' };
  }
}

export function experimentHref(name: string): string {
  return `#/experiments/${encodeURIComponent(name)}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
