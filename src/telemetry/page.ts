/** The formats of the metrics page, and which of them somebody asks for. Pure. */

/** `prometheus`: the text format, version 0.0.4; `openmetrics`: 1.0, which can name traces beside numbers. */
export type PageFormat = 'prometheus' | 'openmetrics';

export const PLAIN_ONLY: readonly PageFormat[] = ['prometheus'];
export const ALL_FORMATS: readonly PageFormat[] = ['prometheus', 'openmetrics'];

export const CONTENT_TYPES: Readonly<Record<PageFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

const OPENMETRICS = 'application/openmetrics-text';

/** The format for an `Accept` field: the one that is liked better, and the text format for all that say nothing of it. */
export function pageFormat(accept: string | undefined, formats: readonly PageFormat[]): PageFormat {
  if (accept === undefined || !formats.includes('openmetrics')) return 'prometheus';
  const liking = likingFor(accept, OPENMETRICS);
  return liking > 0 && liking >= likingFor(accept, 'text/plain') ? 'openmetrics' : 'prometheus';
}

/** The highest `q` of a media type that is named; 0: it is not. */
function likingFor(accept: string, type: string): number {
  let liking = 0;
  for (const member of accept.split(',')) {
    const [name = '', ...parameters] = member.split(';').map((part) => part.trim().toLowerCase());
    if (name !== type) continue;
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    liking = Math.max(liking, q === undefined ? 1 : Number(q.slice(2)) || 0);
  }
  return liking;
}
