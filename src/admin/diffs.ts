/** `GET /v1/experiments/NAME/diffs`: what mirrored requests say of the candidate; `DELETE` forgets it, after a fix for instance. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { NO_DIFFS } from '../analysis/diff/diff-record.ts';
import { reportDiffs } from '../analysis/diff/diff-report.ts';
import { type MirrorView, NOTHING_MISSED } from '../telemetry/mirror-view.ts';
import type { Audit } from './audit.ts';
import { actorOf } from './auth.ts';
import { readBody, reasonBody } from './body.ts';
import { findExperiment } from './changes.ts';
import type { ControlPort } from './ports.ts';
import { AdminError } from './problem.ts';
import { resource } from './resource.ts';

export interface DiffTargets {
  readonly control: ControlPort;
  readonly mirrors: {
    /** Those of all processes together; never rejects. */
    views(): Promise<readonly MirrorView[]>;
    forget(experiment: string): void;
  };
  readonly audit: Pick<Audit, 'record'>;
}

export function addDiffs(app: FastifyInstance, targets: DiffTargets): void {
  const { control, mirrors } = targets;
  resource(app, '/v1/experiments/:name/diffs', {
    GET: async (request, reply) => {
      const { name } = findExperiment(control, nameIn(request));
      const found = (await mirrors.views()).find(({ experiment }) => experiment === name);
      return reply.send(viewOf(name, found ?? null));
    },
    DELETE: (request, reply) => reply.send(forget(targets, request)),
  });
}

function forget({ control, mirrors, audit }: DiffTargets, request: FastifyRequest): object {
  const { name } = findExperiment(control, nameIn(request));
  const { reason } = readBody(request, reasonBody);
  if (!control.snapshot.mirrors.has(name))
    throw new AdminError('change_invalid', `${name} is not mirrored.`, {
      hint: 'there is nothing to forget',
    });
  mirrors.forget(name);
  audit.record({
    ...{ action: 'forget-diffs', target: name, actor: actorOf(request), reason, result: 'done' },
    before: 'what mirroring has found',
    after: 'nothing',
  });
  return { experiment: name, reason };
}

function nameIn({ params }: FastifyRequest): string {
  return (params as { name: string }).name;
}

function viewOf(experiment: string, found: MirrorView | null) {
  const report = reportDiffs(found?.diffs ?? NO_DIFFS);
  if (found === null)
    return { experiment, mirror: null, since: null, inFlight: 0, missed: NOTHING_MISSED, ...report };
  const { control, candidate, share, inFlight, missed, diffs } = found;
  const since = new Date(diffs.sinceMs).toISOString();
  return { experiment, mirror: { control, candidate, share }, since, inFlight, missed, ...report };
}
