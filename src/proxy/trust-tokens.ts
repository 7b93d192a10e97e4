/** The tokens of one request on one connection: which are believed, what they say, and what goes on signed. */
import { serialiseMember } from '../base/dictionary.ts';
import type { RequestAttributes } from '../experiment/model.ts';
import { readUnit } from '../experiment/unit.ts';
import { Carried, type CarriedMember } from '../propagation/header.ts';
import { isSignable, TOKEN_ENTRIES_MAX, type TokenPurpose } from '../propagation/token.ts';
import type { SignedAssignment } from '../propagation/token-signer.ts';
import { FailureBudget, type VerifiedToken } from '../propagation/token-verifier.ts';
import type { Decision } from './decision.ts';
import type { TrustPlan } from './trust-plan.ts';

/** In one field: a service adds one of its own and leaves the others as they are, so few are there. */
const TOKENS_MAX = 4;
const NONE: readonly VerifiedToken[] = [];

const WELL_FORMED = {
  isMalformed: false,
  isBaggageMalformed: false,
  isTruncated: false,
  isFromField: true,
};

export class TrustTokens {
  /** Those of the field that are believed, in their order. */
  believed: readonly VerifiedToken[] = NONE;
  /** One of the field was not: the field must not go on as it came. */
  hasRefused = false;
  readonly #plan: TrustPlan;
  readonly #budget = new FailureBudget();

  constructor(plan: TrustPlan) {
    this.#plan = plan;
  }

  forget(): void {
    this.believed = NONE;
    this.hasRefused = false;
  }

  /** Reads the tokens of the field. */
  read(field: string, attributes: RequestAttributes, nowMs: number): void {
    const believed: VerifiedToken[] = [];
    for (const [index, text] of field.split(',', TOKENS_MAX + 1).entries()) {
      const token = index < TOKENS_MAX ? this.verify(text.trim(), 'context', attributes, nowMs) : null;
      if (token === null) this.hasRefused = true;
      else believed.push(token);
    }
    this.believed = believed;
  }

  /** The token if it is believed here, for this purpose and this request's unit; counted either way. */
  verify(
    text: string,
    purpose: TokenPurpose,
    attributes: RequestAttributes,
    nowMs: number,
  ): VerifiedToken | null {
    const { verifier, clock, metrics, listener, acceptedCount } = this.#plan;
    const found =
      verifier?.verify(text, purpose, { wallMs: clock.wallMs(), nowMs, budget: this.#budget }) ??
      'unknown-key';
    const refusal =
      typeof found === 'string' ? found : this.#isForUnit(found, purpose, attributes) ? null : 'unit';
    if (refusal === null && purpose === 'context') acceptedCount!.value++;
    else metrics.tokens(listener, purpose, refusal ?? 'accepted').value++;
    return refusal === null ? (found as VerifiedToken) : null;
  }

  /**
   * A context without the unit it was signed for is believed: its sender could as well try units out until one has
   * the variant. An override that was made for somebody is for nobody else, and not for nobody.
   */
  #isForUnit(token: VerifiedToken, purpose: TokenPurpose, attributes: RequestAttributes): boolean {
    for (const { experiment: name, unit: hash } of token.claims.entries) {
      if (hash === '') continue;
      const experiment = this.#plan.experiments.get(name);
      if (experiment === undefined) continue;
      const unit = readUnit(experiment.unit, attributes, null);
      if (unit === null ? purpose === 'override' : !token.isUnit(hash, unit.id)) return false;
    }
    return true;
  }

  /** What the believed tokens say together; of an experiment that several name, the last one counts. */
  carried(): Carried | null {
    const members: CarriedMember[] = [];
    for (const { claims } of this.believed) {
      for (const { experiment: name, variant } of claims.entries) {
        const member = { name, variant, raw: serialiseMember(name, variant)! };
        const at = members.findIndex((other) => other.name === name);
        if (at < 0) members.push(member);
        else members[at] = member;
      }
    }
    return members.length === 0 ? null : new Carried(members, WELL_FORMED);
  }

  /**
   * The value of the token field to send on: what came in about experiments that others decide, as it came, and a
   * token of ours about everything else that goes on. '' when there is nothing to vouch for.
   */
  signed(decision: Decision, carried: Carried | null): string {
    const { signer, clock, metrics, listener, signedCount } = this.#plan;
    const own: SignedAssignment[] = [];
    for (let i = 0; i < decision.count; i++) {
      const { experiment, variant, isCarried, unit, unitSource } = decision.participations[i]!.assignment!;
      if (!isCarried) continue;
      const { name, epoch } = experiment;
      // The unit of one request is nobody's: it would be another one at the next service.
      own.push({
        experiment: name,
        variant: variant.name,
        epoch,
        unit: unitSource === 'request' ? null : unit,
      });
    }
    const kept = this.believed.filter((token) => isNeeded(token, own, carried));
    addOthers(own, carried, kept);
    const texts = kept.slice(-(TOKENS_MAX - 1)).map(({ text }) => text);
    if (own.length > 0) {
      const token = signer!.sign(own, clock.wallMs());
      if (token === null) metrics.signed(listener, 'too-large').value++;
      else {
        signedCount!.value++;
        texts.push(token);
      }
    }
    return texts.join(', ');
  }
}

/** Whether a token says something that goes on and that we do not decide ourselves. */
function isNeeded(
  { claims }: VerifiedToken,
  own: readonly SignedAssignment[],
  carried: Carried | null,
): boolean {
  return claims.entries.some(
    ({ experiment, variant }) =>
      carried?.carried(experiment) === variant && !own.some((ours) => ours.experiment === experiment),
  );
}

/** What is carried on trust and was not signed by anybody: we believe it, so we vouch for it. */
function addOthers(own: SignedAssignment[], carried: Carried | null, kept: readonly VerifiedToken[]): void {
  const ours = own.length;
  for (const { name, variant } of carried?.members ?? []) {
    if (own.length >= TOKEN_ENTRIES_MAX) return;
    if (variant === null || !isSignable(name, variant)) continue;
    const isOurs = own.slice(0, ours).some(({ experiment }) => experiment === name);
    const isKept = kept.some(({ claims }) =>
      claims.entries.some((entry) => entry.experiment === name && entry.variant === variant),
    );
    if (!isOurs && !isKept) own.push({ experiment: name, variant, epoch: 0, unit: null });
  }
}
