/** Configurations and requests of every kind, and their decisions on record: what `replay` has to decide again. */
import * as fc from 'fast-check';
import { type IsOpen, servedOn } from '../../src/cli/explain-served.ts';
import { type ArchivedRules, archiveRules } from '../../src/config/archived-rules.ts';
import { compile } from '../../src/config/compile.ts';
import { EMPTY_RUNTIME } from '../../src/config/runtime.ts';
import type { Config } from '../../src/config/schema.ts';
import type { Snapshot } from '../../src/config/snapshot.ts';
import { markSeen, rememberSlots } from '../../src/control/runtime-changes.ts';
import { assign } from '../../src/experiment/assign.ts';
import type { Assignment } from '../../src/experiment/model.ts';
import { parseOverride } from '../../src/experiment/override.ts';
import type { Kept } from '../../src/experiment/sticky.ts';
import type { TrafficClass } from '../../src/experiment/traffic-class.ts';
import { readCarried } from '../../src/propagation/header.ts';
import { DecisionLog } from '../../src/telemetry/decision-log.ts';
import { Counter } from '../../src/telemetry/series.ts';
import { countingRandom, type RequestParts, requestOf } from './experiment.ts';

const START_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

const percent = fc.integer({ min: 0, max: 50 }).map((share) => `${share}%`);
const variantName = fc.constantFrom('control', 'candidate', 'other');

const clause = fc.constantFrom<object>(
  { cookie: 'plan', in: ['gold', 'silver'] },
  { header: 'x-country', equals: 'DE' },
  { not: { header: 'x-country', equals: 'FR' } },
  {
    any: [
      { cookie: 'plan', equals: 'gold' },
      { query: 'beta', exists: true },
    ],
  },
  { path: true, prefix: '/cart' },
  { header: 'x-user-id', segment: 'staff' },
);

const unit = fc.constantFrom<unknown>(
  { header: 'x-user-id' },
  [{ header: 'x-user-id' }, { cookie: 'sid' }],
  [{ cookie: 'sid' }, { clientAddress: { v4: 24, v6: 56 } }],
  'request',
);

const ALGORITHMS = [
  'unleash',
  'growthbook2',
  'flagd2',
  { name: 'launchdarkly', key: 'flag', salt: '6a1c7d0c' },
];
/** Those have a gate of their own, which `traffic` is. */
const GATED: readonly unknown[] = ALGORITHMS.slice(0, 2);

/** One experiment of many; what does not go together is sorted out by the configuration's own checks. */
function experimentAt(index: number): fc.Arbitrary<object> {
  return fc
    .record(
      {
        status: fc.constantFrom('running', 'running', 'running', 'paused', 'killed', 'concluded', 'draft'),
        winner: fc.constantFrom('candidate', 'control'),
        traffic: percent.map((share) => (share === '0%' ? '100%' : share)),
        salt: fc.constantFrom('s1', 's2'),
        isInLayer: fc.boolean(),
        unit,
        isSticky: fc.boolean(),
        targeting: fc.array(clause, { maxLength: 3 }),
        algorithm: fc.constantFrom(...ALGORITHMS),
        startsAt: fc.integer({ min: 0, max: 10 }),
        endsAt: fc.integer({ min: 11, max: 20 }),
        onExpiry: fc.constantFrom('control', 'winner'),
        requires: fc.boolean(),
        routingKeys: fc.constant([{ kind: 'okteto', map: { 'alice-dev': 'candidate' } }]),
        unknownVariant: fc.constantFrom('baseline', 'refuse'),
        shares: fc.tuple(percent, percent),
        upstreams: fc.tuple(fc.constantFrom('v1', 'v2', 'v3'), fc.constantFrom('v1', 'v2', 'v3')),
        hasBreaker: fc.boolean(),
      },
      { requiredKeys: ['shares', 'upstreams', 'status'] },
    )
    .map((of) => {
      const [candidate, other] = of.shares;
      const [one, two] = of.upstreams;
      const isOver = of.status === 'concluded' || of.onExpiry === 'winner';
      const isGated = of.algorithm === undefined || GATED.includes(of.algorithm);
      const at = (day: number) => new Date(START_MS + day * DAY_MS).toISOString();
      return {
        status: of.status,
        ...(isOver ? { winner: of.winner ?? 'candidate' } : {}),
        ...(of.traffic === undefined || !isGated ? {} : { traffic: of.traffic }),
        ...(of.salt === undefined || of.algorithm !== undefined ? {} : { salt: `${of.salt}-${index}` }),
        ...(of.isInLayer === true ? { layer: 'page', range: `${index * 25}%-${index * 25 + 25}%` } : {}),
        ...(of.unit === undefined || of.isInLayer === true ? {} : { unit: of.unit }),
        ...(of.isSticky === true ? { sticky: { ttl: '30d' } } : {}),
        ...(of.targeting === undefined ? {} : { targeting: of.targeting }),
        ...(of.algorithm === undefined ? {} : { algorithm: of.algorithm }),
        ...(of.startsAt === undefined ? {} : { startsAt: at(of.startsAt) }),
        ...(of.endsAt === undefined ? {} : { endsAt: at(of.endsAt) }),
        ...(of.onExpiry === undefined || of.endsAt === undefined ? {} : { onExpiry: of.onExpiry }),
        ...(of.requires === true && index > 0
          ? { requires: [{ experiment: `e${index - 1}`, variant: 'candidate' }] }
          : {}),
        ...(of.routingKeys === undefined ? {} : { routingKeys: of.routingKeys }),
        ...(of.unknownVariant === undefined ? {} : { unknownVariant: of.unknownVariant }),
        ...(of.hasBreaker === false ? { breaker: false } : {}),
        variants: {
          control: {},
          candidate: { weight: candidate, upstream: one },
          other: { weight: other, upstream: two },
        },
      };
    });
}

/** The text of a file with one to four experiments, of which the last may be off the route. */
export const configText: fc.Arbitrary<string> = fc
  .record({
    experiments: fc.integer({ min: 1, max: 4 }).chain((count) => fc.tuple(...range(count).map(experimentAt))),
    holdout: fc.option(fc.constantFrom('5%', '50%'), { nil: undefined }),
    layerHoldout: fc.option(fc.constantFrom('5%', '50%'), { nil: undefined }),
    isFirstOff: fc.boolean(),
  })
  .map(({ experiments, holdout, layerHoldout, isFirstOff }) => {
    const named = experiments.map((experiment, index) => [`e${index}`, experiment] as const);
    const onRoute = named.map(([name]) => name).filter((_, index) => !isFirstOff || index > 0);
    return JSON.stringify({
      version: 1,
      requireMetadata: false,
      upstreams: { v1: '127.0.0.1:9001', v2: '127.0.0.1:9002', v3: '127.0.0.1:9003' },
      stickyKeys: [{ id: 'k1', key: 'k1-0123456789-0123456789-0123456789' }],
      segments: { staff: { values: ['anna', 'bert'] } },
      layers: { page: layerHoldout === undefined ? {} : { holdout: layerHoldout } },
      ...(holdout === undefined ? {} : { holdout: { share: holdout } }),
      decisions: { file: 'decisions.ndjson', sample: '100%' },
      routes: [
        { name: 'cart', match: { path: '/cart/*' }, upstream: 'v1', experiments: onRoute },
        { name: 'all', upstream: 'v1', experiments: onRoute },
      ],
      experiments: Object.fromEntries(named),
    });
  });

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** What a request brings, and what it meets. */
export interface Situation {
  readonly parts: RequestParts;
  readonly carried: string | null;
  readonly override: string | null;
  readonly excluded: TrafficClass | null;
  readonly ignoresRoutingKeys: boolean;
  readonly wallMs: number;
  /** By experiment, what the client was given before. */
  readonly kept: Readonly<Record<string, { readonly variant: string | null; readonly slot: number }>>;
  /** Breakers that are open, by experiment and variant. */
  readonly open: readonly string[];
}

const words = (...values: (string | null)[]) => fc.constantFrom(...values);
const named = fc
  .tuple(words('e0', 'e1', 'e2', 'e3'), fc.constantFrom('control', 'candidate', 'other', 'gone'))
  .map(([experiment, variant]) => `${experiment}=${variant}`);

export const situation: fc.Arbitrary<Situation> = fc
  .record({
    user: fc.oneof(fc.constant(null), words('anna', 'bob'), fc.uuid()),
    sid: fc.oneof(fc.constant(null), fc.uuid()),
    plan: words('gold', 'tin', null),
    country: words('DE', 'FR', null),
    beta: words('1', null),
    path: fc.constantFrom('/', '/cart', '/cart/7'),
    tool: words('okteto-divert=alice-dev', null, null),
    address: words('192.0.2.7', '2001:db8::7', null),
    carried: fc.oneof(fc.constant(null), named),
    override: fc.oneof(fc.constant(null), named, words('always', 'never')),
    excluded: fc.constantFrom<TrafficClass | null>(null, null, null, 'bot', 'synthetic', 'health-check'),
    ignoresRoutingKeys: fc.boolean(),
    day: fc.integer({ min: 0, max: 21 }),
    kept: fc.dictionary(
      fc.constantFrom('e0', 'e1', 'e2', 'e3'),
      fc.record({
        variant: fc.option(variantName, { nil: null }),
        slot: fc.integer({ min: 0, max: 1_000_000 }),
      }),
    ),
    open: fc.array(
      fc.tuple(fc.integer({ min: 0, max: 3 }), variantName).map(([index, variant]) => `e${index}/${variant}`),
    ),
  })
  .map(({ user, sid, plan, country, beta, path, tool, address, day, ...rest }) => ({
    ...rest,
    wallMs: START_MS + day * DAY_MS,
    parts: {
      path,
      headers: present({ 'x-user-id': user, 'x-country': country, baggage: tool }),
      cookies: present({ sid, plan }),
      query: present({ beta }),
      ...(address === null ? {} : { clientAddress: address }),
    },
  }));

function present(values: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

/** Rules as the control plane puts them in force, and as it keeps them. */
export function inForce(
  config: Config,
  runtime = EMPTY_RUNTIME,
): { snapshot: Snapshot; archived: ArchivedRules } {
  const seen = markSeen(config, runtime, new Date(START_MS).toISOString());
  const snapshot = compile(config, seen, 1);
  const archived = archiveRules(config, rememberSlots(seen, snapshot));
  return { snapshot: { ...snapshot, rules: archived.id }, archived };
}

/** The line of a decision, with its end. */
export function recorded(snapshot: Snapshot, of: Situation, isPlain: boolean): string {
  const lines: string[] = [];
  const log = new DecisionLog({
    target: {
      write(line) {
        lines.push(line);
        return true;
      },
    },
    service: snapshot.service,
    key: snapshot.exposures.key,
    random: countingRandom(),
    samplePpm: 1_000_000,
    isPlain,
    written: new Counter(),
    dropped: new Counter(),
  });
  const request = requestOf(of.parts);
  const route = snapshot.routes.inbound.match('', request.path, 'GET')!;
  const order = route.order ?? route.experiments.map(({ experiment }) => experiment);
  const before: Assignment[] = [];
  const given = {
    request,
    context: of.carried === null ? null : readCarried(of.carried, null),
    overrides: parseOverride(of.override, null),
    random: countingRandom(),
    wallMs: of.wallMs,
    excluded: of.excluded,
    ignoresRoutingKeys: of.ignoresRoutingKeys,
    sticky: { kept: (experiment: { name: string }) => keptOf(of, experiment.name, snapshot) },
    before,
  };
  for (const experiment of order) before.push(assign(experiment, given));
  const decided = route.experiments.map((planned) => ({
    planned,
    assignment: before.find(({ experiment }) => experiment === planned.experiment)!,
  }));
  const outcome = servedOn(route, decided, openOf(of));
  const isUnknown = decided.some(
    ({ assignment }) => assignment.reason === 'unknown-variant' && assignment.experiment.refusesUnknown,
  );
  const refused = isUnknown ? 'variant_unknown' : outcome.isUnavailable ? 'breaker_open' : null;
  log.record({
    atMs: of.wallMs,
    rules: snapshot.rules,
    hash: snapshot.hash,
    direction: 'inbound',
    route: route.name,
    requestId: 'r-1',
    method: 'GET',
    host: '',
    path: request.path,
    refused,
    given,
    decided: before.map((assignment) => {
      const index = decided.findIndex((one) => one.assignment === assignment);
      const served = refused === null && index >= 0 ? outcome.served[index]! : null;
      const { experiment } = assignment;
      return {
        assignment,
        kept: experiment.sticky === null ? null : keptOf(of, experiment.name, snapshot),
        served: served === null ? null : served.variant,
        because: served === null ? null : served.because,
      };
    }),
  });
  return lines.join('');
}

function keptOf({ kept }: Situation, name: string, snapshot: Snapshot): Kept | null {
  const one = kept[name];
  if (one === undefined) return null;
  if (one.variant === null) return { variant: null, enrolSlot: one.slot };
  const experiment = snapshot.experiments.get(name)!;
  return { variant: experiment.variants.find((variant) => variant.name === one.variant)!, enrolSlot: 0 };
}

function openOf({ open }: Situation): IsOpen {
  return (breaker) => open.some((name) => breaker.endsWith(`/${name}`));
}
