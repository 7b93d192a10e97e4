/**
 * Overrides: a person's wish for this request, by header or by cookie. Both are RFC 9651 dictionaries,
 * `checkout=candidate, search=control`; a bare `always` or `never` speaks for every experiment not named.
 *
 * Never fails a request: what is malformed, or names a variant that is not there, is ignored. Whether the
 * sender may override at all is not decided here.
 */
import { type DictionaryMember, parseDictionary } from '../base/dictionary.ts';
import type { Experiment, Variant } from './model.ts';

type Members = readonly DictionaryMember[];

/** What one request asks for. The header goes before the cookie, an experiment's name before always and never. */
export class Overrides {
  readonly #header: Members | null;
  readonly #cookie: Members | null;

  /** Null for a source that is absent or malformed. */
  constructor(header: Members | null, cookie: Members | null) {
    this.#header = header;
    this.#cookie = cookie;
  }

  /** The variant asked for; null when none is, or when the experiment has no variant of that name. */
  forExperiment(experiment: Experiment): Variant | null {
    return wanted(this.#header, experiment) ?? wanted(this.#cookie, experiment);
  }

  /** Where `forExperiment` found its answer, for `explain`. */
  sourceFor(experiment: Experiment): 'header' | 'cookie' | null {
    if (wanted(this.#header, experiment) !== null) return 'header';
    return wanted(this.#cookie, experiment) === null ? null : 'cookie';
  }

  /** A variant that was asked for by name and that the experiment does not have; for `explain`. */
  unknownFor(experiment: Experiment): string | null {
    for (const members of [this.#header, this.#cookie]) {
      const name = named(members, experiment.name);
      if (name !== null && variantNamed(experiment, name) === null) return name;
    }
    return null;
  }
}

/** Read the override field and cookie; null when neither asks for anything. The cookie may be percent-encoded. */
export function parseOverride(headerValue: string | null, cookieValue: string | null): Overrides | null {
  if (headerValue === null && cookieValue === null) return null;
  const header = headerValue === null ? null : parseDictionary(headerValue);
  const cookie = cookieValue === null ? null : parseDictionary(decoded(cookieValue));
  return header === null && cookie === null ? null : new Overrides(header, cookie);
}

/** The variant of that name, or null. */
export function variantNamed(experiment: Experiment, name: string): Variant | null {
  const { variants } = experiment;
  for (let i = 0; i < variants.length; i++) {
    if (variants[i]!.name === name) return variants[i]!;
  }
  return null;
}

function wanted(members: Members | null, experiment: Experiment): Variant | null {
  if (members === null) return null;
  const name = named(members, experiment.name);
  const variant = name === null ? null : variantNamed(experiment, name);
  if (variant !== null) return variant;
  if (members.some((member) => member.raw === 'never')) return experiment.fallback;
  return members.some((member) => member.raw === 'always') ? mainTreatment(experiment) : null;
}

function named(members: Members | null, experimentName: string): string | null {
  return members?.find((member) => member.key === experimentName)?.value ?? null;
}

/** What `always` means: the treatment called candidate, or else the first one declared. */
function mainTreatment(experiment: Experiment): Variant | null {
  const treatments = experiment.variants.filter((variant) => variant !== experiment.fallback);
  return treatments.find((variant) => variant.name === 'candidate') ?? treatments[0] ?? null;
}

/** Commas, spaces and quotes do not belong into a cookie, so people and libraries percent-encode them. */
function decoded(cookieValue: string): string {
  if (!cookieValue.includes('%')) return cookieValue;
  try {
    return decodeURIComponent(cookieValue);
  } catch {
    return cookieValue;
  }
}
