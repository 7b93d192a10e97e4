/** What the variants of an experiment did over the last half hour: `GET /v1/experiments/NAME/history`, for lines on a page. */
import type { FastifyInstance } from 'fastify';
import { POINT_MS } from '../analysis/collection/recent-history.ts';
import type { Analysis } from '../control/analysis.ts';
import { findExperiment } from './changes.ts';
import type { ControlPort } from './ports.ts';
import { resource } from './resource.ts';

export interface HistoryTargets {
  readonly control: ControlPort;
  readonly analysis: Pick<Analysis, 'history' | 'refresh'>;
}

/** Adds the resource. An experiment without `analysis` has no points. */
export function addHistory(app: FastifyInstance, { control, analysis }: HistoryTargets): void {
  resource(app, '/v1/experiments/:name/history', {
    GET: async (request, reply) => {
      const { name, variants } = findExperiment(control, (request.params as { name: string }).name);
      await analysis.refresh();
      const points = analysis.history(name).map(({ atMs, variants: figures }) => ({
        at: new Date(atMs).toISOString(),
        variants: figures,
      }));
      return reply.send({ intervalMs: POINT_MS, variants: variants.map((variant) => variant.name), points });
    },
  });
}
