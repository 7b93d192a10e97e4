/** Lets a request through, or not: by its token, the role of that, and how often wrong ones came from its address. */
import bearerAuth from '@fastify/bearer-auth';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../base/clock.ts';
import type { Role } from '../config/schema-audit.ts';
import type { AdminMetrics } from '../telemetry/admin-metrics.ts';
import type { Audit } from './audit.ts';
import { actorOf, checkHostAndOrigin, identify, principalOf, principalWith } from './auth.ts';
import { FailedAttempts } from './failed-attempts.ts';
import type { ControlPort } from './ports.ts';
import { AdminError } from './problem.ts';
import { isEnough, neededRole } from './roles.ts';

export interface AccessOptions {
  readonly control: Pick<ControlPort, 'snapshot'>;
  readonly audit: Audit;
  readonly clock: Pick<Clock, 'now'>;
  readonly metrics: { readonly admin: Pick<AdminMetrics, 'refused'> };
}

/** Every request is looked at before anything else. The tokens are those of the Snapshot in force. */
export async function addAccess(app: FastifyInstance, options: AccessOptions): Promise<void> {
  const { control, clock, metrics } = options;
  const attempts = new FailedAttempts();
  await app.register(bearerAuth, {
    keys: new Set<string>(),
    addHook: false,
    auth: (given, request) => {
      const principal = principalWith(given, control.snapshot.admin);
      if (principal !== null) identify(request, principal);
      return principal !== null;
    },
  });
  app.addHook('onRequest', (request, reply, done) => {
    checkHostAndOrigin(request);
    const { token, tokens, readRole } = control.snapshot.admin;
    const needed = neededRole(request.method, request.routeOptions.url ?? '', readRole);
    if (needed === null) return done();
    if (token === null && tokens.length === 0) {
      throw new AdminError('writes_disabled', 'Changes are refused since no token is configured.', {
        hint: 'set admin.token or admin.tokenFile in the config, or FAIRLEAD_ADMIN__TOKEN',
      });
    }
    const waitSeconds = attempts.waitSeconds(request.ip, clock.now());
    if (waitSeconds > 0) {
      metrics.admin.refused('attempts').value++;
      throw tooMany(reply, waitSeconds);
    }
    app.verifyBearerAuth?.(request, reply, (error) => {
      if (error !== undefined) {
        metrics.admin.refused('token').value++;
        // Without one nothing is tried out.
        if (request.headers.authorization !== undefined) attempts.failed(request.ip, clock.now());
        return done(error);
      }
      const refusal = roleRefusal(options, request, needed);
      return refusal === null ? done() : done(refusal);
    });
  });
}

function roleRefusal(
  { audit, metrics }: AccessOptions,
  request: FastifyRequest,
  needed: Role,
): AdminError | null {
  const role = principalOf(request)?.role ?? 'viewer';
  if (isEnough(role, needed)) return null;
  metrics.admin.refused('role').value++;
  const { method, routeOptions } = request;
  audit.record({
    action: 'use-admin-api',
    target: `${method} ${routeOptions.url ?? 'what is not there'}`,
    actor: actorOf(request),
    reason: `needs the role ${needed}`,
    result: 'refused',
    before: '',
    after: '',
  });
  return new AdminError('role_insufficient', `This needs the role ${needed}, and the token has ${role}.`, {
    hint: 'docs/roles.md says who may do what',
  });
}

function tooMany(reply: FastifyReply, waitSeconds: number): AdminError {
  reply.header('retry-after', String(waitSeconds));
  return new AdminError('attempts_exceeded', 'Too many wrong tokens came from this address.', {
    hint: `try again in ${waitSeconds} s`,
  });
}
