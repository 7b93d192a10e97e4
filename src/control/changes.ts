/**
 * What is different between two sets of rules, in words: which experiments, which of their settings, what that means for
 * who is in them. Deterministic; secrets are not compared.
 */
import { isDeepStrictEqual } from 'node:util';
import { REDACTED, redact } from '../config/hash.ts';
import { decidingOrder } from '../config/order.ts';
import type { Config } from '../config/schema.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { restartNeeded, summary } from './comparison.ts';

export interface ChangedExperiment {
  readonly name: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Status and weights as they are in effect; null: not there. */
  readonly before: string | null;
  readonly after: string | null;
  /** Which of its declared settings differ. */
  readonly settings: readonly string[];
  readonly notes: readonly string[];
}

/** Rules in effect, with the declared configuration as `plain` has it. */
export interface PlainRules {
  readonly declared: Config;
  readonly snapshot: Snapshot;
}

/** As JSON, without secrets: where they are not given as on the other side, say by the environment, is no difference. */
export function plain(config: Config): Config {
  return JSON.parse(JSON.stringify(redact(config)), (_key, value: unknown) =>
    value === REDACTED ? undefined : value,
  ) as Config;
}

/** Keys whose values are not the same. */
export function differing(left: object | undefined, right: object | undefined): string[] {
  const [a, b] = [left ?? {}, right ?? {}] as Record<string, unknown>[];
  const keys = new Set([...Object.keys(a!), ...Object.keys(b!)]);
  return [...keys].filter((key) => !isDeepStrictEqual(a![key], b![key]));
}

/** Every experiment of either side with what is different about it, which may be nothing. */
export function compareExperiments(
  before: PlainRules,
  after: PlainRules,
  /** Those whose run-time weights end with the change. */
  overtaken: readonly string[] = [],
): ChangedExperiment[] {
  const names = new Set([...before.snapshot.experiments.keys(), ...after.snapshot.experiments.keys()]);
  const isUnread = before.declared === after.declared;
  return Array.from(names, (name) => {
    const from = before.snapshot.experiments.get(name) ?? null;
    const to = after.snapshot.experiments.get(name) ?? null;
    const declared = after.declared.experiments[name];
    return {
      name,
      change: from === null ? 'added' : to === null ? 'removed' : 'changed',
      before: from === null ? null : summary(before.snapshot, name),
      after: to === null ? null : summary(after.snapshot, name),
      settings:
        from === null || to === null || isUnread
          ? []
          : ownSettings(before.declared.experiments[name], declared),
      notes: notesOf(from, to, {
        isOvertaken: overtaken.includes(name),
        isSticky: declared?.sticky !== undefined,
      }),
    };
  });
}

/** Whether the rules are the same but for secrets. */
export function isSame({ before, after, settings }: ChangedExperiment): boolean {
  return before === after && settings.length === 0;
}

/** What is different about an experiment, and behind it what to know of that. */
export function experimentSentence({ name, change, before, after, settings }: ChangedExperiment): string {
  const what =
    change === 'added'
      ? after
      : change === 'removed'
        ? before
        : before === after
          ? settings.join(', ')
          : `${before} -> ${after}`;
  return `${change} ${name}: ${what}`;
}

/** All that is different, a sentence each. */
export function changeSentences(before: PlainRules, after: PlainRules): string[] {
  const experiments = compareExperiments(before, after).filter((one) => !isSame(one));
  const others = otherSettings(before.declared, after.declared);
  const restart = restartNeeded(before.declared, after.declared);
  return [
    ...experiments.flatMap((one) => [
      experimentSentence(one),
      ...one.notes.map((note) => `${one.name}: ${note}`),
    ]),
    ...begunAnew(before.snapshot, after.snapshot).map((name) => `${name}: its analysis begins anew`),
    ...(others.length === 0 ? [] : [`other settings: ${others.join(', ')}`]),
    ...(restart.length === 0 ? [] : [`in effect only after a restart: ${restart.join(', ')}`]),
  ];
}

/** Whose numbers of before count no more. */
function begunAnew(before: Snapshot, after: Snapshot): string[] {
  return [...after.analyses].flatMap(([name, { digest }]) => {
    const known = before.analyses.get(name);
    return known === undefined || known.digest === digest ? [] : [name];
  });
}

type Declared = Config['experiments'][string] | undefined;

function ownSettings(before: Declared, after: Declared): string[] {
  const settings = differing(before, after);
  const isOrdered = isInSameOrder(Object.keys(before?.variants ?? {}), Object.keys(after?.variants ?? {}));
  return isOrdered ? settings : [...settings, 'order of variants'];
}

/** Those that both have. */
function isInSameOrder(left: readonly string[], right: readonly string[]): boolean {
  const [of, other] = [new Set(left), new Set(right)];
  const common = right.filter((name) => of.has(name));
  return left.filter((name) => other.has(name)).every((name, index) => name === common[index]);
}

/** Top-level settings that differ, the experiments apart. */
export function otherSettings(before: Config, after: Config): string[] {
  if (before === after) return [];
  const settings = differing(before, after).filter((key) => key !== 'experiments');
  const [old, next] = [decidingOrder(before).experiments, decidingOrder(after).experiments];
  return isInSameOrder(old, next) ? settings : [...settings, 'order of experiments'];
}

type Compiled = ReturnType<Snapshot['experiments']['get']>;

const namesIn = ({ variants }: NonNullable<Compiled>) => variants.map(({ name }) => name);

function notesOf(
  before: Compiled | null,
  after: Compiled | null,
  { isOvertaken, isSticky }: { readonly isOvertaken: boolean; readonly isSticky: boolean },
): string[] {
  if (before == null || after == null) return [];
  const notes: string[] = [];
  const texts = (experiment: NonNullable<Compiled>) => experiment.targeting.map(({ text }) => text);
  if (isOvertaken) notes.push('its run-time weights end: the file is newer');
  if (before.salt !== after.salt) {
    const what =
      before.bucketing === null && after.bucketing === null ? 'salt' : 'algorithm, or other options';
    notes.push(`another ${what}: everyone is dealt anew`);
  } else if (after.bucketing !== null && !isInSameOrder(namesIn(before), namesIn(after))) {
    notes.push('another order of variants: another epoch, as its algorithm may deal by it');
  }
  if (!isDeepStrictEqual(before.unit, after.unit))
    notes.push('another unit: who has other ids is dealt anew');
  if (!isDeepStrictEqual(texts(before), texts(after)))
    notes.push('other targeting: the moves are those of units that both take');
  if (!isDeepStrictEqual(before.requires, after.requires))
    notes.push('other prerequisites: the moves are those of units that meet both');
  if (isSticky) notes.push('it is sticky: clients that were given a variant keep it');
  if (after.status === 'paused' && before.status !== 'paused')
    notes.push('paused: requests that carry a variant keep it');
  return notes;
}
