/**
 * The resources under `/v1`: which URL reads what, and which hands a change to `changes.ts`.
 * Reading never changes anything; a GET on a change is 405.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { formatState } from '../control/state-file.ts';
import { Asked } from './approvals.ts';
import {
  addConfigChanges,
  type ChangeTargets,
  changeBreaker,
  changeExperiment,
  etagOf,
  findExperiment,
  noBreaker,
} from './changes.ts';
import { layersView } from './layer-view.ts';
import { AdminError } from './problem.ts';
import { refuseMethod, resource } from './resource.ts';
import { configView, experimentView, experimentViews } from './views.ts';

/** Audit entries in an answer unless `?limit=` says otherwise. */
const AUDIT_LIMIT = 100;
const AUDIT_LIMIT_MAX = 1000;

/** Adds everything under `/v1` and its aliases. */
export function addRest(app: FastifyInstance, targets: ChangeTargets): void {
  addReads(app, targets);
  addNamed(app, targets);
  addConfigChanges(app, targets);
}

function addReads(app: FastifyInstance, { control, dataPlane, audit }: ChangeTargets): void {
  for (const url of ['/v1/config', '/config_dump']) {
    resource(app, url, {
      GET: (request, reply) => {
        const etag = etagOf(control);
        reply.header('etag', etag).header('cache-control', 'no-cache');
        const known = request.headers['if-none-match'];
        if (known?.split(',').some((tag) => tag.trim() === etag)) return reply.code(304).send();
        return reply.send(configView(control));
      },
    });
  }
  resource(app, '/v1/runtime', {
    GET: (_request, reply) => reply.type('application/json').send(formatState(control.runtime)),
  });
  for (const url of ['/v1/upstreams', '/clusters']) {
    resource(app, url, { GET: (_request, reply) => reply.send({ upstreams: dataPlane.upstreams() }) });
  }
  resource(app, '/v1/overload', {
    GET: (_request, reply) => reply.send(dataPlane.overload()),
  });
  resource(app, '/v1/experiments', {
    GET: (_request, reply) => reply.send({ experiments: experimentViews(control, dataPlane.breakers()) }),
  });
  resource(app, '/v1/layers', { GET: (_request, reply) => reply.send(layersView(control.snapshot)) });
  resource(app, '/v1/breakers', { GET: (_request, reply) => reply.send({ breakers: dataPlane.breakers() }) });
  resource(app, '/v1/audit', {
    GET: async (request, reply) => {
      const limit = Math.min(AUDIT_LIMIT_MAX, wholeNumber(request, 'limit') ?? AUDIT_LIMIT);
      return reply.send({ audit: await audit.page(limit, wholeNumber(request, 'before')) });
    },
  });
  resource(app, '/v1/audit/head', { GET: (_request, reply) => reply.send(audit.status) });
}

/** Names hold slashes (`api/ranking/candidate`), so these are wildcards; the last colon begins the verb. */
function addNamed(app: FastifyInstance, targets: ChangeTargets): void {
  const { dataPlane } = targets;
  const change: RouteHandlerMethod = async (request, reply) =>
    sendChange(reply, await changeExperiment(targets, request));
  resource(app, '/v1/experiments/*', {
    GET: (request, reply) => {
      const name = nameOf(request);
      if (name.endsWith('/weights')) return refuseMethod(request, reply, ['PUT', 'POST']);
      if (name.includes(':')) return refuseMethod(request, reply, ['POST']);
      return reply.send(oneExperiment(targets, name));
    },
    POST: change,
    PUT: (request, reply) => {
      if (!nameOf(request).endsWith('/weights')) return refuseMethod(request, reply, ['POST']);
      return sendChange(reply, changeExperiment(targets, request));
    },
  });
  resource(app, '/v1/breakers/*', {
    GET: (request, reply) => {
      const name = nameOf(request);
      if (name.includes(':')) return refuseMethod(request, reply, ['POST']);
      const found = dataPlane.breakers().find((breaker) => breaker.name === name);
      if (found === undefined) throw noBreaker(dataPlane, name);
      return reply.send(found);
    },
    POST: (request, reply) => reply.send(changeBreaker(targets, request)),
  });
}

/** 202: somebody else has to approve it first. */
function sendChange(reply: FastifyReply, answer: unknown): FastifyReply {
  return answer instanceof Asked ? reply.code(202).send(answer) : reply.send(answer);
}

function oneExperiment({ control, dataPlane }: ChangeTargets, name: string): unknown {
  const experiment = findExperiment(control, name);
  const { runtime, wallMs } = control.view();
  return experimentView(experiment, { snapshot: control.snapshot, runtime, wallMs }, dataPlane.breakers());
}

function nameOf(request: FastifyRequest): string {
  return (request.params as { '*': string })['*'];
}

/** Of the query; null: it is not there. @throws AdminError */
function wholeNumber(request: FastifyRequest, name: string): number | null {
  const text = (request.query as Record<string, unknown>)[name];
  if (text === undefined) return null;
  if (typeof text === 'string' && /^[0-9]{1,12}$/.test(text)) return Number(text);
  throw new AdminError('request_invalid', `${name} is not a whole number.`, { path: name });
}
