/**
 * An assignment in the words of OpenFeature: `variant` and `value` are those that the unit is assigned, since that is
 * what a request carries; which variant is served while a breaker is open is in the metadata, with our reason. Pure.
 */
import { breakerName } from '../config/breakers.ts';
import type { Assignment, Payload, Reason } from '../experiment/model.ts';
import type { DataPlaneView } from './ports.ts';

export interface FlagAnswer {
  readonly key: string;
  readonly value: Payload;
  readonly variant: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string | number>>;
}

export interface FlagFailure {
  readonly key: string;
  readonly errorCode: string;
  readonly errorDetails: string;
}

/** OpenFeature's reasons (specification, types); what is not here is `DEFAULT`: the unit takes no part. */
const REASONS: Readonly<Partial<Record<Reason, string>>> = {
  split: 'SPLIT',
  override: 'TARGETING_MATCH',
  // Decided before, and kept.
  propagated: 'CACHED',
  sticky: 'CACHED',
  killed: 'DISABLED',
  off: 'DISABLED',
  'not-started': 'DISABLED',
  concluded: 'STATIC',
  ended: 'STATIC',
};

export interface AnswerFacts {
  /** Of the config in force. */
  readonly configHash: string;
  /** Names of the routes that the experiment is on. */
  readonly routes: readonly string[];
  readonly dataPlane: Pick<DataPlaneView, 'isOpen'>;
}

export function answerOf(assignment: Assignment, { configHash, routes, dataPlane }: AnswerFacts): FlagAnswer {
  const { experiment, variant, reason, slot } = assignment;
  const isOpen = (route: string): boolean =>
    dataPlane.isOpen(breakerName(route, experiment.name, variant.name));
  const open = routes.filter(isOpen).length;
  const isServed = open === 0 || open < routes.length;
  return {
    key: experiment.name,
    value: variant.payload ?? variant.name,
    variant: variant.name,
    reason: REASONS[reason] ?? 'DEFAULT',
    metadata: {
      'fairlead.reason': reason,
      ...(slot === -1 ? {} : { 'fairlead.slot': slot }),
      'fairlead.served': isServed ? variant.name : experiment.fallback.name,
      ...(open === 0 ? {} : { 'fairlead.openBreakers': open }),
      'fairlead.epoch': experiment.epoch,
      'fairlead.config': configHash,
    },
  };
}

/** A flag that cannot be answered for want of a unit. */
export function keyMissing(key: string): FlagFailure {
  return {
    key,
    errorCode: 'TARGETING_KEY_MISSING',
    errorDetails: 'the context has neither a targetingKey nor what the unit of the experiment is read from',
  };
}
