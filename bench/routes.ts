/** Does a request cost the same however many routes there are? 1, 100 and 10,000, with requests spread over them. */
import type { Candidate } from './peers/candidate.ts';
import { type FairleadConfig, fairlead } from './peers/fairlead.ts';
import { flatnessAnswer, flatnessSeconds, measureFlatness } from './support/flatness.ts';
import { chosen, type Effort, type Question } from './support/question.ts';

const COUNTS = [1, 100, 10_000] as const;

export const routes: Question = {
  name: 'routes',
  seconds: (effort) => flatnessSeconds(candidates(effort), effort),
  async answer(effort, say) {
    const services = (name: string): number => Number.parseInt(name, 10);
    const rows = await measureFlatness(candidates(effort), effort, { services }, say);
    return flatnessAnswer(rows, effort, {
      title: 'Number of routes',
      subject: 'routes',
      held: COUNTS.map(nameOf),
    });
  },
};

const nameOf = (count: number): string => `${count} ${count === 1 ? 'route' : 'routes'}`;

let all: Candidate[] | null = null;

function candidates(effort: Effort): Candidate[] {
  const of = (count: number, name: string): Candidate =>
    fairlead({ name, change: (config) => spread(config, count) });
  all ??= [...COUNTS.map((count) => of(count, nameOf(count))), of(1, `${nameOf(1)}, twin`)];
  return chosen(all, effort);
}

/** One route for each service, as requests.lua asks for them. */
function spread(config: FairleadConfig, count: number): void {
  const [first] = config.routes;
  config.routes = Array.from({ length: count }, (_, index) => ({
    ...first!,
    name: `service-${index}`,
    match: { path: `/service-${index}/items/*` },
  }));
}
