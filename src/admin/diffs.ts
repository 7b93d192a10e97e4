/** `GET /v1/experiments/NAME/diffs`: what mirrored requests say of the candidate. */
import type { FastifyInstance } from 'fastify';
import { NO_DIFFS } from '../analysis/diff-record.ts';
import { reportDiffs } from '../analysis/diff-report.ts';
import { type MirrorView, NOTHING_MISSED } from '../telemetry/mirror-view.ts';
import { findExperiment } from './changes.ts';
import type { ControlPort } from './ports.ts';
import { resource } from './resource.ts';

export interface DiffTargets {
  readonly control: ControlPort;
  /** Those of all processes together; never rejects. */
  readonly mirrors: () => Promise<readonly MirrorView[]>;
}

export function addDiffs(app: FastifyInstance, { control, mirrors }: DiffTargets): void {
  resource(app, '/v1/experiments/:name/diffs', {
    GET: async (request, reply) => {
      const { name } = findExperiment(control, (request.params as { name: string }).name);
      const found = (await mirrors()).find(({ experiment }) => experiment === name);
      return reply.send(viewOf(name, found ?? null));
    },
  });
}

function viewOf(experiment: string, found: MirrorView | null) {
  const report = reportDiffs(found?.diffs ?? NO_DIFFS);
  if (found === null)
    return { experiment, mirror: null, since: null, inFlight: 0, missed: NOTHING_MISSED, ...report };
  const { control, candidate, share, inFlight, missed, diffs } = found;
  const since = new Date(diffs.sinceMs).toISOString();
  return { experiment, mirror: { control, candidate, share }, since, inFlight, missed, ...report };
}
