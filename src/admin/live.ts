/**
 * What is shown as it happens, and the history that is in memory: `/v1/stats`, `/v1/events/stream`, `/v1/tap`,
 * `/v1/breakers/history` and `/v1/config/history`. Reading them costs the traffic what docs/live.md says.
 */
import { isDeepStrictEqual } from 'node:util';
import type { FastifyInstance } from 'fastify';
import type { BreakerHistory } from '../control/breaker-history.ts';
import type { ConfigHistory } from '../control/config-history.ts';
import { breakerLabels } from '../telemetry/sources.ts';
import type { Tapping } from '../telemetry/tap.ts';
import { EventStreams } from './event-streams.ts';
import { LiveFeed, type LiveFeedOptions } from './live-feed.ts';
import { resource } from './resource.ts';
import { addStats, type StatsOptions, StatsSampler } from './stats.ts';
import { addTap } from './tap.ts';

/** Where it comes from. */
export interface LiveSources extends Pick<StatsOptions, 'counts'> {
  readonly breakers: BreakerHistory;
  readonly config: ConfigHistory;
  readonly tap: Tapping;
  /** Of Fairlead. */
  readonly version: string;
}

export interface LiveOptions
  extends Pick<LiveFeedOptions, 'audit' | 'rollouts' | 'control'>,
    Pick<StatsOptions, 'clock'> {
  readonly live: LiveSources;
}

/** Adds the resources. */
export function addLive(app: FastifyInstance, { live, control, clock, ...sources }: LiveOptions): void {
  const { breakers, config, counts, version } = live;
  const stats = new StatsSampler({ control, clock, counts });
  const streams = new EventStreams();
  const feed = new LiveFeed({ control, stats, breakers, config, version, ...sources });
  addStats(app, stats);
  resource(app, '/v1/events/stream', {
    GET: (request, reply) => streams.answer(request, reply, (stream) => feed.join(stream)),
  });
  addTap(app, { control, tap: live.tap, streams });
  addHistory(app, live);
  endWithAccess(streams, live.config, control);
  app.addHook('preClose', async () => {
    feed.close();
    stats.close();
    await streams.close();
  });
}

function addHistory(app: FastifyInstance, { breakers, config }: LiveSources): void {
  resource(app, '/v1/breakers/history', {
    GET: (request, reply) => {
      const { experiment } = request.query as { readonly experiment?: unknown };
      const moves = breakers.list();
      const transitions =
        experiment === undefined
          ? moves
          : moves.filter(({ name }) => breakerLabels(name).experiment === experiment);
      return reply.send({ transitions });
    },
  });
  resource(app, '/v1/config/history', {
    GET: (_request, reply) => reply.send({ history: config.list() }),
  });
}

/** Who may read is asked when a stream begins: when that is somebody else, all begin again. */
function endWithAccess(
  streams: EventStreams,
  config: ConfigHistory,
  control: LiveFeedOptions['control'],
): void {
  const accessOf = () => {
    const { token, tokens, readRole } = control.snapshot.admin;
    return { token, tokens, readRole };
  };
  let before = accessOf();
  config.subscribe(() => {
    const now = accessOf();
    if (!isDeepStrictEqual(now, before)) void streams.close();
    before = now;
  });
}
