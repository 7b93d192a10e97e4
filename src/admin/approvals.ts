/**
 * Changes that take two people: what touches an experiment on a protected route is not done when it is asked for, but
 * when somebody else says yes to exactly that, before its time is over, in a world that is still the same. They are in
 * memory: after a restart they are asked for again. Bounded.
 */
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Clock } from '../base/clock.ts';
import { formatDuration } from '../config/units.ts';
import type { Audit } from './audit.ts';
import { actorOf, principalOf } from './auth.ts';
import { AdminError } from './problem.ts';

const APPROVALS_MAX = 100;
/** Who is asked has this long. */
const EXPIRES_MS = 15 * 60_000;
const DIGEST_DIGITS = 16;

/** What would be done. */
export interface Plan {
  /** As the audit calls it. */
  readonly action: string;
  readonly target: string;
  readonly reason: string;
  /** All that it is made of, for the digest. */
  readonly change: object;
  /** How things are, and how they would be: looked at again before it is done. @throws AdminError */
  readonly preview: () => { readonly before: string; readonly after: string; readonly rules: string };
  readonly apply: (actor: string) => unknown;
}

/** A change that waits for a second person, as it is shown. */
export interface Approval {
  readonly id: string;
  readonly action: string;
  readonly target: string;
  readonly reason: string;
  readonly before: string;
  readonly after: string;
  /** Of all that would be done and of the rules that it would be done to. */
  readonly digest: string;
  readonly askedBy: string;
  readonly askedAt: string;
  readonly expiresAt: string;
}

interface Waiting {
  readonly approval: Approval;
  readonly plan: Plan;
  /** The person who asked. */
  readonly person: string;
  readonly expiresMs: number;
}

/** Answered with 202 in place of what the change would answer. */
export class Asked {
  readonly approval: Approval;

  constructor(approval: Approval) {
    this.approval = approval;
  }
}

export class Approvals {
  readonly #audit: Audit;
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting>();
  #nextId = 1;

  constructor(audit: Audit, clock: Clock) {
    this.#audit = audit;
    this.#clock = clock;
  }

  /** Asks for a second person. Asking for the same again answers what waits already. @throws AdminError */
  ask(request: FastifyRequest, plan: Plan): Asked {
    this.#expire();
    const { before, after, digest } = digested(plan);
    const person = personOf(request);
    for (const waiting of this.#waiting.values())
      if (waiting.approval.digest === digest && waiting.person === person) return new Asked(waiting.approval);
    if (this.#waiting.size >= APPROVALS_MAX)
      throw new AdminError('change_invalid', `${APPROVALS_MAX} changes wait for approval already.`);
    const wallMs = this.#clock.wallMs();
    const { action, target, reason } = plan;
    const approval: Approval = {
      ...{ id: `a${this.#nextId++}`, action, target, reason, before, after, digest },
      askedBy: actorOf(request),
      askedAt: new Date(wallMs).toISOString(),
      expiresAt: new Date(wallMs + EXPIRES_MS).toISOString(),
    };
    const expiresMs = this.#clock.now() + EXPIRES_MS;
    this.#waiting.set(approval.id, { approval, plan, person, expiresMs });
    this.#record('ask-approval', approval, { actor: approval.askedBy, reason, result: 'done' });
    return new Asked(approval);
  }

  /** Does it, if somebody else than who asked says yes to this digest. @throws AdminError */
  approve(id: string, request: FastifyRequest, said: { digest: string; reason: string }): unknown {
    const { approval, plan, person } = this.#find(id);
    const actor = actorOf(request);
    const refuse = (error: AdminError): never => {
      this.#record('approve', approval, { actor, reason: error.message, result: 'refused' });
      throw error;
    };
    if (personOf(request) === person)
      refuse(
        new AdminError('second_person_needed', `${person} asked for it; somebody else has to approve it.`),
      );
    if (said.digest !== approval.digest)
      refuse(
        new AdminError('approval_outdated', 'The digest is that of something else.', {
          hint: 'read it again',
        }),
      );
    this.#waiting.delete(id);
    if (digested(plan).digest !== approval.digest)
      refuse(
        new AdminError('approval_outdated', 'What it was asked for has changed since.', {
          hint: 'ask for it again',
        }),
      );
    this.#record('approve', approval, { actor, reason: said.reason, result: 'done' });
    return plan.apply(`${approval.askedBy}, approved by ${actor}`);
  }

  /** Nothing comes of it. @throws AdminError */
  cancel(id: string, request: FastifyRequest, reason: string): Approval {
    const { approval } = this.#find(id);
    this.#waiting.delete(id);
    this.#record('cancel-approval', approval, { actor: actorOf(request), reason, result: 'done' });
    return approval;
  }

  /** @throws AdminError */
  get(id: string): Approval {
    return this.#find(id).approval;
  }

  /** The oldest first. */
  list(): Approval[] {
    this.#expire();
    return Array.from(this.#waiting.values(), ({ approval }) => approval);
  }

  #find(id: string): Waiting {
    this.#expire();
    const found = this.#waiting.get(id);
    if (found !== undefined) return found;
    throw new AdminError('not_found', `Nothing waits for approval as ${JSON.stringify(id)}.`, {
      hint: `GET /v1/approvals lists them; each waits for ${formatDuration(EXPIRES_MS)}, and none over a restart`,
    });
  }

  #expire(): void {
    for (const [id, { approval, expiresMs }] of this.#waiting) {
      if (expiresMs > this.#clock.now()) return;
      this.#waiting.delete(id);
      this.#record('expire-approval', approval, {
        actor: 'time',
        reason: 'its time is over',
        result: 'done',
      });
    }
  }

  #record(
    action: string,
    { id, target, action: what, before, after }: Approval,
    said: { readonly actor: string; readonly reason: string; readonly result: 'done' | 'refused' },
  ): void {
    this.#audit.record({ ...said, action, target: `${what} ${target} (${id})`, before, after });
  }
}

/** Two tokens of one name are one person, and so are all who share a token. */
function personOf(request: FastifyRequest): string {
  return principalOf(request)?.name ?? '';
}

function digested({ action, target, reason, change, preview }: Plan) {
  const { before, after, rules } = preview();
  const text = JSON.stringify([action, target, reason, change, before, after, rules]);
  const digest = createHash('sha256').update(text).digest('hex').slice(0, DIGEST_DIGITS);
  return { before, after, digest };
}
