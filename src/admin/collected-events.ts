/**
 * `POST /v1/events`: values that belong to a unit and to no request, such as a conversion. The unit is hashed at once, and
 * neither kept nor logged.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { isCountable } from '../analysis/collection/measure.ts';
import type { Analysis, PostedEvent } from '../control/analysis.ts';
import { readBody } from './body.ts';
import { AdminError } from './problem.ts';
import { resource } from './resource.ts';

export const EVENTS_URL = '/v1/events';
/** In one request. */
const EVENTS_MAX = 1000;
const NAME_MAX_CHARS = 63;
const UNIT_MAX_CHARS = 1024;
const ID_MAX_CHARS = 200;

const event = z.strictObject({
  experiment: z.string().max(NAME_MAX_CHARS),
  metric: z.string().max(NAME_MAX_CHARS),
  unit: z.string().min(1).max(UNIT_MAX_CHARS),
  value: z.number().refine(isCountable, 'expected a number from -1e12 to 1e12').default(1),
  at: z.iso.datetime({ offset: true }).optional(),
  id: z.string().min(1).max(ID_MAX_CHARS).optional(),
});
const eventsBody = z.strictObject({ events: z.array(event).min(1).max(EVENTS_MAX) });

export interface EventTargets {
  readonly analysis: Pick<Analysis, 'measureOf' | 'post' | 'refresh'>;
}

/** Adds the resource. All events of a request are counted, or none. */
export function addEvents(app: FastifyInstance, { analysis }: EventTargets): void {
  resource(app, EVENTS_URL, {
    POST: async (request, reply) => {
      const events = readBody(request, eventsBody).events.map(postedOf);
      for (const [index, { experiment, metric }] of events.entries())
        checkMetric(analysis, { index, experiment, metric });
      // A unit is known by its requests: those that were answered before this one came.
      await analysis.refresh();
      return reply.send(analysis.post(events));
    },
  });
}

function postedOf({ at, id, ...rest }: z.output<typeof event>): PostedEvent {
  return { ...rest, id: id ?? null, atMs: at === undefined ? null : Date.parse(at) };
}

function checkMetric(
  analysis: EventTargets['analysis'],
  {
    index,
    experiment,
    metric,
  }: { readonly index: number; readonly experiment: string; readonly metric: string },
): void {
  try {
    analysis.measureOf(experiment, metric);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const path = `events.${index}`;
    throw new AdminError('change_invalid', `${path}: ${error.message}; nothing was counted.`, { path });
  }
}
