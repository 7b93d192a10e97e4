/**
 * `GET /v1/tap`: single requests as they end, as a stream of events. A sample, limited by `rate`: what was asked for and
 * is not shown is counted and said.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Snapshot } from '../config/snapshot.ts';
import { OUTCOMES, type Outcome } from '../telemetry/series.ts';
import { parseStatus, type Tapping, type TapQuery } from '../telemetry/tap.ts';
import { readAs } from './body.ts';
import type { EventStream, EventStreams } from './event-streams.ts';
import { AdminError } from './problem.ts';
import { resource } from './resource.ts';

/** Each is looked at by every request. */
const TAPS_MAX = 8;
const RATE = 10;
const RATE_MAX = 100;
/** How often it is said what was not shown. */
const DROPPED_MS = 1_000;

export interface TapTargets {
  readonly control: { readonly snapshot: Snapshot };
  readonly tap: Tapping;
  readonly streams: Pick<EventStreams, 'answer'>;
}

const RATE_EXPECTED = `expected a whole number from 1 to ${RATE_MAX}`;
const OUTCOME_EXPECTED = 'expected ok, failure, slow or ignored';

const name = z.string().min(1).nullable().default(null);
const query = z.strictObject({
  experiment: name,
  variant: name,
  route: name,
  outcome: z
    .enum(OUTCOMES as readonly [Outcome, ...Outcome[]], OUTCOME_EXPECTED)
    .nullable()
    .default(null),
  status: z
    .string()
    .transform((text, context) => {
      const range = parseStatus(text);
      if (range === null) context.addIssue({ code: 'custom', message: 'expected 503 or 5xx' });
      return range;
    })
    .nullable()
    .default(null),
  rate: z.coerce
    .number(RATE_EXPECTED)
    .int(RATE_EXPECTED)
    .min(1, RATE_EXPECTED)
    .max(RATE_MAX, RATE_EXPECTED)
    .default(RATE),
});

/** Adds the resource. */
export function addTap(app: FastifyInstance, { control, tap, streams }: TapTargets): void {
  let open = 0;
  resource(app, '/v1/tap', {
    GET: (request, reply) => {
      const asked = readQuery(request, control.snapshot);
      if (open >= TAPS_MAX) throw tooMany(reply);
      return streams.answer(request, reply, (stream) => {
        open++;
        const end = follow(tap, asked, stream);
        return () => {
          open--;
          end();
        };
      });
    },
  });
}

function follow(tap: Tapping, asked: TapQuery, stream: EventStream): () => void {
  const tapped = tap(asked, (record) => stream.send('request', JSON.stringify(record)));
  const timer = setInterval(() => {
    const count = tapped.takeDropped();
    if (count > 0) stream.send('dropped', JSON.stringify({ count }));
  }, DROPPED_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    tapped.close();
  };
}

/** What there is nothing of would show nothing, for ever. @throws AdminError */
function readQuery(request: FastifyRequest, { experiments, routes }: Snapshot): TapQuery {
  const asked = readAs(request.query, query);
  const { experiment, variant, route } = asked;
  const meant = experiment === null ? [...experiments.values()] : [experiments.get(experiment)];
  if (experiment !== null) check('experiment', experiment, meant[0] !== undefined);
  const hasVariant = meant.some((one) => one?.variants.some((of) => of.name === variant));
  if (variant !== null) check('variant', variant, hasVariant);
  const all = [...routes.inbound.all, ...routes.outbound.all];
  if (route !== null)
    check(
      'route',
      route,
      all.some((one) => one.name === route),
    );
  return asked;
}

function check(kind: string, asked: string, isThere: boolean): void {
  if (isThere) return;
  throw new AdminError('not_found', `There is no ${kind} ${JSON.stringify(asked)}.`, { path: kind });
}

function tooMany(reply: FastifyReply): AdminError {
  reply.header('retry-after', '10');
  return new AdminError('streams_exceeded', `${TAPS_MAX} taps are open, and there are no more.`, {
    hint: 'close one',
  });
}
