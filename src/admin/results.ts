/**
 * What is said of experiments: `GET /v1/experiments/NAME/results`, and the verdict of each by `GET /v1/results`. `DELETE`
 * forgets what was collected of one, after a repair for instance.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ExperimentResults } from '../control/experiment-results.ts';
import { Asked } from './approvals.ts';
import { readBody, reasonBody } from './body.ts';
import { apply, type ChangeTargets, checkIfMatch, findExperiment } from './changes.ts';
import { resource } from './resource.ts';

export interface ResultsTargets extends ChangeTargets {
  readonly results: Pick<ExperimentResults, 'of' | 'ofAnalysis' | 'amountOf' | 'refresh'>;
}

/** Adds both resources. */
export function addResults(app: FastifyInstance, targets: ResultsTargets): void {
  const { control, results } = targets;
  resource(app, '/v1/results', {
    GET: async (_request, reply) => {
      await results.refresh();
      const verdicts: object[] = [];
      for (const name of control.snapshot.experiments.keys()) {
        const { state, verdict } = results.ofAnalysis(name) ?? results.of(name) ?? NOT_ANY_MORE;
        if (state !== null) verdicts.push({ experiment: name, state, verdict });
        // Requests may be waiting, and there may be hundreds of experiments.
        await nextTurn();
      }
      return reply.send({ results: verdicts });
    },
  });
  resource(app, '/v1/experiments/:name/results', {
    GET: async (request, reply) => {
      const { name } = findExperiment(control, nameIn(request));
      await results.refresh();
      return reply.send(results.of(name));
    },
    DELETE: (request, reply) => forget(targets, request, reply),
  });
}

async function forget(targets: ResultsTargets, request: FastifyRequest, reply: FastifyReply) {
  const { control, results } = targets;
  checkIfMatch(request, control);
  const { name: experiment } = findExperiment(control, nameIn(request));
  const { reason } = readBody(request, reasonBody);
  await results.refresh();
  const forgotten = results.amountOf(experiment);
  const answer = apply(targets, request, { kind: 'forget-results', experiment, reason });
  if (answer instanceof Asked) return reply.code(202).send(answer);
  return reply.send({ experiment, reason, forgotten });
}

function nameIn({ params }: FastifyRequest): string {
  return (params as { name: string }).name;
}

/** Of one that was taken out of the rules in the meantime. */
const NOT_ANY_MORE = { state: null, verdict: null } as const;
