/** What is said of experiments: `GET /v1/experiments/NAME/results`, and the verdict of each by `GET /v1/results`. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { ExperimentResults } from '../control/experiment-results.ts';
import { findExperiment } from './changes.ts';
import type { ControlPort } from './ports.ts';
import { resource } from './resource.ts';

export interface ResultsTargets {
  readonly control: ControlPort;
  readonly results: Pick<ExperimentResults, 'of' | 'ofAnalysis' | 'refresh'>;
}

/** Adds both resources. */
export function addResults(app: FastifyInstance, { control, results }: ResultsTargets): void {
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
      const { name } = findExperiment(control, (request.params as { name: string }).name);
      await results.refresh();
      return reply.send(results.of(name));
    },
  });
}

/** Of one that was taken out of the rules in the meantime. */
const NOT_ANY_MORE = { state: null, verdict: null } as const;
