/** What is said of experiments: `GET /v1/experiments/NAME/results`, and the verdict of each by `GET /v1/results`. */
import type { FastifyInstance } from 'fastify';
import type { ExperimentResults } from '../control/experiment-results.ts';
import { findExperiment } from './changes.ts';
import type { ControlPort } from './ports.ts';
import { resource } from './resource.ts';

export interface ResultsTargets {
  readonly control: ControlPort;
  readonly results: Pick<ExperimentResults, 'of' | 'refresh'>;
}

/** Adds both resources. Answers are at most a second old. */
export function addResults(app: FastifyInstance, { control, results }: ResultsTargets): void {
  resource(app, '/v1/results', {
    GET: async (_request, reply) => {
      await results.refresh();
      const all = Array.from(control.snapshot.experiments.keys(), (name) => results.of(name));
      return reply.send({
        results: all.flatMap((one) =>
          one === null ? [] : [{ experiment: one.experiment, state: one.state, verdict: one.verdict }],
        ),
      });
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
