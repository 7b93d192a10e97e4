/**
 * What the peer of a connection may say about experiments, request by request: what it may not say is ignored,
 * counted, and stripped from what goes on; it never fails a request. The other way it keeps what is ours from hosts
 * that are not. Whether the peer is trusted is asked once, for its connection and the rules in force.
 *
 * `open` before a request is decided, `close` when its context has been written.
 */
import { serialiseMember } from '../base/dictionary.ts';
import type { RequestAttributes } from '../experiment/model.ts';
import { type Overrides, parseOverride } from '../experiment/override.ts';
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';
import { withoutMalformed } from '../propagation/baggage.ts';
import { type Carried, readCarried } from '../propagation/header.ts';
import { hasOwnBaggage, withoutCookies, withoutOwnBaggage } from '../propagation/strip.ts';
import { isTokenText } from '../propagation/token.ts';
import { cookieText } from '../routing/attributes.ts';
import { isTrusted } from '../routing/trust.ts';
import type { Decision } from './decision.ts';
import type { Peer } from './peer.ts';
import type { TrustPlan } from './trust-plan.ts';
import { TrustTokens } from './trust-tokens.ts';

/** Labels of `fairlead_context_untrusted_total`. */
export const UNTRUSTED = ['header', 'baggage', 'explain', 'token', 'override', 'cookie'] as const;
type Untrusted = (typeof UNTRUSTED)[number];

/** The gate for a peer; null when there is nothing for one to do. */
export function gateFor(plan: TrustPlan | null, peer: Peer): TrustGate | null {
  if (plan === null) return null;
  const gate = new TrustGate(plan, peer);
  return gate.isOpen ? null : gate;
}

export class TrustGate {
  /** The fields as far as they are believed; null: absent, or not. */
  header: string | null = null;
  baggage: string | null = null;
  /** What believed tokens carry, in place of the fields. */
  vouched: Carried | null = null;
  overrides: Overrides | null = null;
  /** Whether what the peer says of variants counts unsigned. */
  readonly isContextTrusted: boolean;
  /** Whether its wishes do. */
  readonly mayOverride: boolean;
  /** Nothing of ours may go to the host of this request. */
  isKeepingIn = false;
  readonly #plan: TrustPlan;
  readonly #tokens: TrustTokens;
  #head: Head | null = null;
  /** Names of the fields that must not go on as they came, and the lines that go instead. */
  #cut: string[] = [];
  #lines = '';
  /** The baggage without ours, when ours must not go on; null: it may. */
  #otherBaggage: string | null = null;

  constructor(plan: TrustPlan, peer: Peer) {
    this.#plan = plan;
    this.isContextTrusted = isTrusted(plan.trust.context, peer);
    this.mayOverride = isTrusted(plan.trust.overrides, peer);
    this.#tokens = new TrustTokens(plan);
  }

  /** There is nothing to look for: everything is believed, and nothing is signed or kept in. */
  get isOpen(): boolean {
    const { verifier, internalHosts } = this.#plan;
    return this.isContextTrusted && this.mayOverride && verifier === null && internalHosts === null;
  }

  /** Reads what a request says. `head` and `attributes` must stay valid until `close`. */
  open(head: Head, attributes: RequestAttributes, nowMs: number): void {
    const { propagation, signer, trust } = this.#plan;
    this.#head = head;
    this.#cut = [];
    this.#lines = '';
    this.#otherBaggage = null;
    this.vouched = null;
    this.#tokens.forget();
    this.header = head.header(propagation.header);
    this.baggage = propagation.baggage ? baggageOf(head) : null;
    const tokens = head.header(propagation.tokenHeader);
    const isAsked = this.isContextTrusted ? signer !== null : trust.context.isTokenEnough;
    if (tokens !== null && isAsked) this.#tokens.read(tokens, attributes, nowMs);
    if (!this.isContextTrusted) this.#distrust(head, tokens !== null && !isAsked);
    this.overrides = this.#readOverrides(head, attributes, nowMs);
    if (!this.mayExplain && head.header(propagation.explainHeader) !== null) {
      this.#cut.push(propagation.explainHeader);
      this.#count('explain');
    }
  }

  /** Whoever may choose may also know why: a tester with a signed override, too. */
  get mayExplain(): boolean {
    return this.isContextTrusted || this.overrides !== null;
  }

  /** Takes what is not believed out of what goes on, and signs the rest. */
  close(decision: Decision, carried: Carried | null): void {
    const { internalHosts, signer, metrics, listener } = this.#plan;
    const head = this.#head!;
    this.isKeepingIn = internalHosts !== null && !internalHosts.has(head.host() ?? '');
    if (this.isKeepingIn) {
      const isOurs = decision.carriedText !== '' || this.#cut.length > 0 || carried !== null;
      if (this.#keepIn(head, decision) || isOurs) metrics.egress(listener).value++;
      return;
    }
    if (signer !== null) this.#replaceTokens(this.#tokens.signed(decision, carried));
    if (this.#otherBaggage !== null && !decision.replaced.includes('baggage')) {
      this.#cut.push('baggage');
      if (this.#otherBaggage !== '') this.#lines += `baggage: ${this.#otherBaggage}\r\n`;
    }
    if (this.#cut.length > 0) decision.replaced = [...decision.replaced, ...this.#cut];
    decision.fields += this.#lines;
  }

  /** Nothing of the fields counts; what tokens say takes their place. */
  #distrust(head: Head, isTokenStray: boolean): void {
    const { propagation, signer } = this.#plan;
    const { header } = this;
    this.vouched = this.#tokens.carried();
    this.header = null;
    if (header !== null) {
      this.#cut.push(propagation.header);
      if (!saysNoMore(header, this.vouched)) this.#count('header');
    }
    const baggage = baggageOf(head);
    if (baggage !== null && hasOwnBaggage(baggage)) {
      const rest = withoutOwnBaggage(baggage);
      this.#otherBaggage = rest;
      this.baggage = propagation.baggage && rest !== '' ? rest : null;
      if (this.vouched === null) this.#count('baggage');
    }
    if (isTokenStray) this.#count('token');
    if (signer === null && (isTokenStray || this.#tokens.hasRefused))
      this.#replaceTokens(this.#believedTexts());
  }

  #readOverrides(head: Head, attributes: RequestAttributes, nowMs: number): Overrides | null {
    const { overrideHeader, overrideCookie } = this.#plan.propagation;
    const header = head.header(overrideHeader);
    const believed = header === null ? null : this.#believed(header, 'override', attributes, nowMs);
    if (header !== null && believed === null) this.#cut.push(overrideHeader);
    if (head.first(Field.cookie) < 0 || !head.header('cookie')!.includes(overrideCookie))
      return parseOverride(believed, null);
    const cookie = attributes.cookie(overrideCookie);
    const believedCookie = cookie === null ? null : this.#believed(cookie, 'cookie', attributes, nowMs);
    if (cookie !== null && believedCookie === null) this.#cutCookies(head, [overrideCookie]);
    return parseOverride(believed, believedCookie);
  }

  /** The wish as a dictionary, whether it came as one or signed; null when it is not believed. */
  #believed(wish: string, what: Untrusted, attributes: RequestAttributes, nowMs: number): string | null {
    const isSigned = isTokenText(wish);
    if (!this.mayOverride && !(isSigned && this.#plan.trust.overrides.isTokenEnough)) {
      this.#count(what);
      return null;
    }
    if (!isSigned) return wish;
    const token = this.#tokens.verify(wish, 'override', attributes, nowMs);
    if (token === null) return null;
    const members = token.claims.entries.map(({ experiment, variant }) =>
      serialiseMember(experiment, variant),
    );
    return members.join(', ');
  }

  /** Cuts everything of ours; true when there was any in the request. */
  #keepIn(head: Head, decision: Decision): boolean {
    const { propagation, own } = this.#plan;
    this.#cut = own.fields.filter((name) => head.header(name) !== null);
    this.#lines = '';
    if (head.first(Field.cookie) >= 0) this.#cutCookies(head, own.cookies);
    const baggage = baggageOf(head);
    const others = baggage !== null && hasOwnBaggage(baggage) ? withoutOwnBaggage(baggage) : baggage;
    const isOurs = this.#cut.length > 0 || others !== baggage;
    const rest = others === null || !propagation.baggage ? others : withoutMalformed(others);
    if (rest !== baggage) this.#cut.push('baggage');
    if (rest !== baggage && rest !== '') this.#lines += `baggage: ${rest}\r\n`;
    decision.replaced = this.#cut;
    decision.fields = this.#lines;
    return isOurs;
  }

  #cutCookies(head: Head, names: readonly string[]): void {
    const cookies = cookieText(head);
    const rest = withoutCookies(cookies, names);
    if (rest === cookies) return;
    this.#cut.push('cookie');
    if (rest !== '') this.#lines += `cookie: ${rest}\r\n`;
  }

  #believedTexts(): string {
    return this.#tokens.believed.map(({ text }) => text).join(', ');
  }

  #replaceTokens(texts: string): void {
    const { tokenHeader } = this.#plan.propagation;
    if (!this.#cut.includes(tokenHeader)) this.#cut.push(tokenHeader);
    if (texts !== '') this.#lines += `${tokenHeader}: ${texts}\r\n`;
  }

  #count(what: Untrusted): void {
    this.#plan.metrics.untrusted(this.#plan.listener, what).value++;
  }
}

function baggageOf(head: Head): string | null {
  return head.first(Field.baggage) >= 0 ? head.header('baggage') : null;
}

/** Whether an unsigned field only repeats what is vouched for, as that of a sidecar that signs does. */
function saysNoMore(header: string, vouched: Carried | null): boolean {
  const said = readCarried(header, null);
  if (said === null) return true;
  return (
    vouched !== null &&
    !said.isMalformed &&
    said.members.every(({ name, variant }) => vouched.carried(name) === variant)
  );
}
