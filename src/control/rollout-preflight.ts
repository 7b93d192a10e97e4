/**
 * What must be so before a rollout gives the candidate anything: it can be reached (with TLS, if it has it, and a
 * certificate that is valid), it answers the declared probes as control does, its clock is about ours, no breaker is open,
 * and requests of the experiment are being counted. Each thing that is not so is one sentence. Changes nothing.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect } from 'node:net';
import type { RolloutPlan } from '../analysis/rollout/rollout-plan.ts';
import type { RolloutSettings } from '../config/compile-rollout.ts';
import type { ProbeConfig } from '../config/schema-rollout.ts';
import type { DeclaredEndpoint, Snapshot, SocketAddress, Upstream } from '../config/snapshot.ts';
import type { RolloutEvidence } from './rollout-evidence.ts';

// Loaded only for an upstream with TLS.
const nodeTls = () => process.getBuiltinModule('node:tls');
const nodeHttps = () => process.getBuiltinModule('node:https');

/** Of one upstream so many endpoints are tried. */
const ENDPOINTS_MAX = 5;
/** 2025: a clock before this was never set. */
const CLOCK_MIN_MS = 1_735_689_600_000;
/** Certificates, dates and the analysis go wrong beyond. */
const SKEW_MAX_MS = 60_000;

export interface PreflightOptions {
  readonly snapshot: () => Snapshot;
  readonly evidence: RolloutEvidence;
  /** The names of endpoints that get no requests now, by upstream. */
  readonly unusable: (upstream: string) => readonly string[];
  readonly wallMs: () => number;
}

/** What speaks against a rollout of this experiment; none: nothing. Never rejects. */
export async function preflight(
  experiment: string,
  settings: RolloutSettings,
  options: PreflightOptions,
): Promise<string[]> {
  const { plan, probes, preflightMs } = settings;
  const { evidence, wallMs, snapshot } = options;
  const problems: string[] = [];
  if (wallMs() < CLOCK_MIN_MS) problems.push(`the clock says ${new Date(wallMs()).toISOString()}`);
  const breaker = evidence.openBreaker(experiment, plan.candidate);
  if (breaker !== null) problems.push(`the breaker ${breaker.name} is open: ${breaker.reason}`);
  const counted = await evidence.read([{ experiment, candidate: plan.candidate }]);
  if ((counted.get(experiment)?.get(plan.control)?.requests ?? 0) === 0)
    problems.push(
      `no request that ${plan.control} served has been counted yet, so there is nothing to compare with`,
    );
  const pairs = upstreamPairs(snapshot(), experiment, plan);
  if (pairs.length === 0) problems.push('no route has the experiment');
  for (const { control, candidate } of pairs) {
    const found = await reachable(candidate, { unusable: options.unusable(candidate.name), preflightMs });
    if (typeof found === 'string') problems.push(found);
    else problems.push(...(await probeBoth({ control, candidate, probes, preflightMs }, found, wallMs)));
  }
  return [...new Set(problems)];
}

interface Pair {
  readonly control: Upstream;
  readonly candidate: Upstream;
}

/** On every route, each pair once. */
function upstreamPairs(snapshot: Snapshot, name: string, plan: RolloutPlan): Pair[] {
  const pairs = new Map<string, Pair>();
  for (const { experiments } of [...snapshot.routes.inbound.all, ...snapshot.routes.outbound.all]) {
    const found = experiments.find(({ experiment }) => experiment.name === name);
    if (found === undefined) continue;
    const upstreamOf = (variant: string): Upstream =>
      found.variants[found.experiment.variants.findIndex((one) => one.name === variant)]!.upstream;
    const [control, candidate] = [upstreamOf(plan.control), upstreamOf(plan.candidate)];
    pairs.set(`${control.name} ${candidate.name}`, { control, candidate });
  }
  return [...pairs.values()];
}

/** An endpoint that takes a connection, or why none does. */
async function reachable(
  upstream: Upstream,
  { unusable, preflightMs }: { unusable: readonly string[]; preflightMs: number },
): Promise<SocketAddress | string> {
  const endpoints = upstream.endpoints.filter(({ id }) => !unusable.includes(id));
  const where = `the upstream ${upstream.name}`;
  if (endpoints.length === 0) return `${where} has no endpoint that is healthy`;
  const addresses = endpoints.flatMap(({ address }: DeclaredEndpoint) =>
    address.kind === 'srv' ? [] : [address],
  );
  if (addresses.length === 0) return `${where} has only names of services, which are not tried`;
  let problem = '';
  for (const address of addresses.slice(0, ENDPOINTS_MAX)) {
    const why = await tryConnection(upstream, address, preflightMs);
    if (why === null) return address;
    problem = why;
  }
  return `${where} cannot be reached (${problem})`;
}

function tryConnection({ tls }: Upstream, address: SocketAddress, timeoutMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const to = targetOf(address);
    const socket = tls === null ? connect(to) : nodeTls().connect({ ...to, ...tlsOptions(tls, address) });
    const done = (problem: string | null): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(problem);
    };
    const timer = setTimeout(() => done('no answer in time'), timeoutMs);
    socket.once(tls === null ? 'connect' : 'secureConnect', () => done(null));
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'failed'));
  });
}

async function probeBoth(
  {
    control,
    candidate,
    probes,
    preflightMs,
  }: Pair & { readonly probes: readonly ProbeConfig[]; readonly preflightMs: number },
  endpoint: SocketAddress,
  wallMs: () => number,
): Promise<string[]> {
  const first = control.endpoints.map(({ address }) => address).find(({ kind }) => kind !== 'srv');
  if (first === undefined || first.kind === 'srv' || probes.length === 0) return [];
  const problems: string[] = [];
  for (const probe of probes) {
    const what = `${probe.method} ${probe.path}`;
    const ofControl = await send(control, first, { probe, timeoutMs: preflightMs });
    const ofCandidate = await send(candidate, endpoint, { probe, timeoutMs: preflightMs });
    const said = ({ status, problem }: Answered): string => problem ?? String(status);
    if (probe.status !== undefined && ofCandidate.status !== probe.status)
      problems.push(`the probe ${what}: the candidate answers ${said(ofCandidate)} and not ${probe.status}`);
    else if (ofCandidate.problem !== null || ofControl.status !== ofCandidate.status)
      problems.push(
        `the probe ${what}: the candidate answers ${said(ofCandidate)} and control ${said(ofControl)}`,
      );
    const skewMs = ofCandidate.dateMs === null ? 0 : Math.abs(ofCandidate.dateMs - wallMs());
    if (skewMs > SKEW_MAX_MS)
      problems.push(`the clock of the candidate is ${Math.round(skewMs / 1000)} s from ours (at most 60 s)`);
  }
  return problems;
}

interface Answered {
  readonly status: number | null;
  readonly problem: string | null;
  /** Of its Date field. */
  readonly dateMs: number | null;
}

function send(
  { tls }: Upstream,
  address: SocketAddress,
  { probe, timeoutMs }: { readonly probe: ProbeConfig; readonly timeoutMs: number },
): Promise<Answered> {
  const { method, path, headers } = probe;
  const signal = AbortSignal.timeout(timeoutMs);
  const common = { method, path, headers: { 'user-agent': 'fairlead', ...headers }, signal, agent: false };
  const to = address.kind === 'unix' ? { socketPath: address.path } : targetOf(address);
  return new Promise((resolve) => {
    const onAnswer = (response: IncomingMessage): void => {
      response.resume();
      response.on('error', () => undefined);
      const dateMs = Date.parse(response.headers.date ?? '');
      const status = response.statusCode ?? null;
      resolve({ status, problem: null, dateMs: Number.isNaN(dateMs) ? null : dateMs });
      response.destroy();
    };
    const options: RequestOptions = { ...common, ...to };
    const sent =
      tls === null
        ? httpRequest(options, onAnswer)
        : nodeHttps().request({ ...options, ...tlsOptions(tls, address) }, onAnswer);
    sent.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ status: null, problem: error.code ?? 'failed', dateMs: null }),
    );
    sent.end();
  });
}

function targetOf(address: SocketAddress) {
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
}

function tlsOptions(tls: NonNullable<Upstream['tls']>, address: SocketAddress) {
  const { ca, serverName, keyPair, minVersion } = tls;
  const name = serverName ?? (address.kind === 'tcp' ? address.host : '');
  return {
    minVersion,
    ...(ca === null ? {} : { ca }),
    ...(/^[0-9.]+$|:/.test(name) || name === '' ? {} : { servername: name }),
    ...(keyPair === null ? {} : { cert: keyPair.certificate, key: keyPair.key }),
  };
}
