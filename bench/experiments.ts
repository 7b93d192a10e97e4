/**
 * Does a request cost the same however many experiments are loaded? One of 1, 10, 100 and 1,000 is on the route;
 * and what do several on the route cost?
 */
import type { Candidate } from './peers/candidate.ts';
import { type FairleadConfig, fairlead } from './peers/fairlead.ts';
import { flatnessAnswer, flatnessSeconds, measureFlatness } from './support/flatness.ts';
import { chosen, type Effort, type Question } from './support/question.ts';

const LOADED = [1, 10, 100, 1000] as const;
const ON_ROUTE = [2, 5, 10] as const;
/** The limit of the configuration. */
const PER_ROUTE_MAX = 100;

export const experiments: Question = {
  name: 'experiments',
  seconds: (effort) => flatnessSeconds(candidates(effort), effort),
  async answer(effort, say) {
    const rows = await measureFlatness(candidates(effort), effort, {}, say);
    return flatnessAnswer(rows, effort, {
      title: 'Number of experiments',
      subject: 'experiments loaded, one on the route',
      held: LOADED.map((count) => nameOf(count)),
    });
  },
};

const nameOf = (loaded: number): string => `${loaded} loaded`;

let all: Candidate[] | null = null;

function candidates(effort: Effort): Candidate[] {
  all ??= [
    ...LOADED.map((count) => fairlead({ name: nameOf(count), change: (config) => load(config, count, 1) })),
    fairlead({ name: `${nameOf(1)}, twin` }),
    ...ON_ROUTE.map((count) =>
      fairlead({ name: `${count} on the route`, change: (config) => load(config, count, count) }),
    ),
  ];
  return chosen(all, effort);
}

/** Further experiments like the first one: on its route, or on routes that no request takes. */
function load(config: FairleadConfig, loaded: number, onRoute: number): void {
  const [first] = Object.values(config.experiments) as [Record<string, unknown>];
  const names: string[] = [];
  for (let i = 1; i < loaded; i++) {
    names.push(`extra-${i}`);
    // Only the first one has a variant with an upstream of its own: a request goes to one place.
    config.experiments[`extra-${i}`] = {
      ...first,
      salt: `extra-${i}`,
      variants: { control: { weight: '90%' }, candidate: { weight: '10%' } },
    };
  }
  config.routes[0]!.experiments = [...config.routes[0]!.experiments!, ...names.splice(0, onRoute - 1)];
  for (let i = 0; names.length > 0; i++) {
    config.routes.push({
      name: `other-${i}`,
      match: { path: `/other-${i}/*` },
      upstream: 'v1',
      experiments: names.splice(0, PER_ROUTE_MAX),
    });
  }
}
