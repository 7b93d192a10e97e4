/**
 * Decides a recorded request again, by the function of the request path and the rules that were in force, and writes
 * it down once more: it agrees when every byte is the same. Pure.
 */
import type { ReadRules } from '../config/archived-rules.ts';
import type { Route, RouteExperiment } from '../config/snapshot.ts';
import { Unanswered } from '../experiment/asked.ts';
import { assign } from '../experiment/assign.ts';
import type { Assignment } from '../experiment/model.ts';
import { questionOf } from '../experiment/recalled.ts';
import { answersOf, entryText } from '../experiment/recorded.ts';
import { decisionText } from '../telemetry/decision-log.ts';
import type { RecordedDecision, RecordedExperiment } from './replay-line.ts';

/** What is not as recorded, in one sentence; null: everything is. */
export function difference(line: string, record: RecordedDecision, rules: ReadRules): string | null {
  try {
    const { snapshot } = rules;
    const { direction, request, hash, route: name } = record;
    if (snapshot.hash !== hash) return `the configuration of its rules has the hash ${snapshot.hash}`;
    const route = snapshot.routes[direction].all.find((one) => one.name === name);
    if (route === undefined) return `the rules have no ${direction} route ${name}`;
    if (request !== undefined) {
      const matched = snapshot.routes[direction].match(request.host, request.path, request.method);
      if (matched?.name !== name) return `the route is ${matched?.name ?? 'none'} now`;
    }
    const entries = decideAgain(route, record, rules);
    for (const [index, entry] of record.experiments.entries()) {
      const now = JSON.parse(entries[index]!) as RecordedExperiment;
      const sentence = fieldsThatDiffer(entry, now);
      if (sentence !== null) return `${entry.experiment}: ${sentence}`;
    }
    return decisionText(record, entries) === line
      ? null
      : 'the line is not written as it would be: it was changed';
  } catch (error) {
    if (error instanceof Unanswered) return error.message;
    throw error;
  }
}

/** The entries as they would be written now. @throws Unanswered when record and rules do not fit */
function decideAgain(route: Route, record: RecordedDecision, { isWithoutIds }: ReadRules): string[] {
  const order = route.order ?? route.experiments.map(({ experiment }) => experiment);
  const names = order.map(({ name }) => name).join(', ');
  if (names !== record.experiments.map(({ experiment }) => experiment).join(', '))
    throw new Unanswered(`the rules decide ${names} on this route`);
  const before: Assignment[] = [];
  const answers = order.map((experiment, index) => {
    const entry = record.experiments[index]!;
    const asked = record.asked ?? null;
    const question = questionOf(experiment, entry, { asked, drawn: entry.drawn ?? null, isWithoutIds });
    const given = {
      ...question.given,
      wallMs: Date.parse(record.time),
      excluded: record.excluded,
      ignoresRoutingKeys: !record.may_override,
      before,
    };
    const assignment = assign(question.experiment, given);
    before.push(assignment);
    if (asked === null) return entry;
    const kept = given.sticky?.kept(experiment) ?? null;
    return answersOf({ assignment, given, kept }, given.request, () => entry.unit ?? '');
  });
  const served = servedAgain(route, before, record);
  return before.map((assignment, index) =>
    entryText(
      answers[index]!,
      { assignment, ...(served.get(assignment.experiment.name) ?? NOBODY) },
      record.experiments[index]!.drawn ?? null,
    ),
  );
}

interface Serving {
  readonly served: string | null;
  readonly because: string | null;
}

const NOBODY: Serving = { served: null, because: null };

/**
 * As `proxy/admission.ts` does it. That a breaker was open, or that there was too much to do, is taken from the record;
 * what follows of it, and which of two upstreams gets its way, is not.
 */
function servedAgain(
  route: Route,
  assignments: readonly Assignment[],
  record: RecordedDecision,
): ReadonlyMap<string, Serving> {
  const of = (planned: RouteExperiment) =>
    assignments.find(({ experiment }) => experiment.name === planned.experiment.name)!;
  const isUnknown = route.experiments.some(
    (planned) => planned.experiment.refusesUnknown && of(planned).reason === 'unknown-variant',
  );
  if (isUnknown !== (record.refused === 'variant_unknown'))
    throw new Unanswered(`the request is ${isUnknown ? '' : 'not '}refused for an unknown variant`);
  const served = new Map<string, Serving>();
  if (record.refused !== null) return served;
  let { upstream } = route;
  for (const planned of route.experiments) {
    const { experiment, variants } = planned;
    const { variant } = of(planned);
    const entry = record.experiments.find((one) => one.experiment === experiment.name)!;
    const wanted = variants[variant.index]!.upstream;
    const isConflict = wanted !== route.upstream && upstream !== route.upstream && upstream !== wanted;
    const turnedAway = entry.because === 'conflict' ? null : entry.because;
    if (turnedAway === 'breaker' && variants[variant.index]!.breaker === null)
      throw new Unanswered(`the rules have no breaker for ${variant.name} of ${experiment.name}`);
    const isFallback = variant.index === experiment.fallback.index;
    const because = isFallback ? null : isConflict ? 'conflict' : turnedAway;
    const chosen = because === null ? variant : experiment.fallback;
    served.set(experiment.name, { served: chosen.name, because });
    const goesTo = variants[chosen.index]!.upstream;
    if (goesTo !== route.upstream && upstream === route.upstream) upstream = goesTo;
  }
  return served;
}

function fieldsThatDiffer(before: RecordedExperiment, now: RecordedExperiment): string | null {
  const fields = Object.keys(now) as (keyof RecordedExperiment)[];
  const sentences = fields.flatMap((field) => {
    const [was, is] = [JSON.stringify(before[field]), JSON.stringify(now[field])];
    return was === is ? [] : [`${field} ${was}, now ${is}`];
  });
  return sentences.length === 0 ? null : sentences.join('; ');
}
