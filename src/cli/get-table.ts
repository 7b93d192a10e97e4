/**
 * The tables of `fairlead get`: columns as kubectl has them, no lines, nothing that a pipe to awk would stumble
 * over. Pure; members that a sidecar does not send are shown as "-".
 */
import Table from 'cli-table3';

/** What can be read. */
export type GetWhat = 'experiments' | 'layers' | 'breakers' | 'upstreams' | 'rollouts';

type Item = Readonly<Record<string, unknown>>;

interface Column {
  readonly title: string;
  readonly isWide?: true;
  text(item: Item): string;
}

interface VariantItem {
  readonly name?: string;
  readonly weight?: string;
  readonly breakers?: readonly { readonly name: string; readonly state: string; readonly mode?: string }[];
}

const EXPERIMENTS: readonly Column[] = [
  { title: 'NAME', text: (item) => show(item.name) },
  { title: 'STATUS', text: statusText },
  { title: 'TRAFFIC', text: (item) => show(item.traffic) },
  {
    title: 'VARIANTS',
    text: (item) =>
      variantsOf(item)
        .map(({ name, weight }) => `${name}=${weight}`)
        .join(','),
  },
  { title: 'BREAKERS', text: breakersText },
  { title: 'ROUTES', text: (item) => show(item.routes) },
  { title: 'UNIT', isWide: true, text: (item) => show(item.unit) },
  { title: 'TARGETING', isWide: true, text: (item) => show(item.targeting) },
  { title: 'ALGORITHM', isWide: true, text: (item) => show(item.algorithm) },
  { title: 'SALT', isWide: true, text: (item) => show(item.salt) },
  { title: 'STICKY', isWide: true, text: (item) => show(memberOf(item.sticky, 'in')) },
  { title: 'EPOCH', isWide: true, text: (item) => show(item.epoch) },
  { title: 'LAYER', isWide: true, text: layerText },
  { title: 'REQUIRES', isWide: true, text: (item) => show(item.requires) },
  { title: 'OWNER', isWide: true, text: (item) => show(item.owner) },
  { title: 'APPROVED-BY', isWide: true, text: (item) => show(memberOf(item.approval, 'approvedBy')) },
];

const LAYERS: readonly Column[] = [
  { title: 'NAME', text: (item) => show(item.name) },
  { title: 'FREE', text: (item) => show(memberOf(item.free, 'share')) },
  { title: 'FREE-RANGES', text: (item) => show(memberOf(item.free, 'ranges')) },
  { title: 'EXPERIMENTS', text: (item) => show(membersOf(item.experiments)) },
  { title: 'HOLDOUT', text: (item) => show(item.holdout) },
  { title: 'SALT', isWide: true, text: (item) => show(item.salt) },
];

const BREAKERS: readonly Column[] = [
  { title: 'NAME', text: (item) => show(item.name) },
  { title: 'STATE', text: (item) => show(item.state) },
  { title: 'MODE', text: modeText },
  { title: 'REQUESTS', text: (item) => show(item.requests) },
  { title: 'ERRORS', text: (item) => percent(item.errorRatio) },
  { title: 'SLOW', text: (item) => percent(item.slowRatio) },
  { title: 'IN-FLIGHT', text: (item) => show(item.inFlight) },
  { title: 'BUDGET', text: (item) => percent(memberOf(item.budget, 'remainingRatio')) },
  { title: 'TRIPS', text: (item) => show(item.trips) },
  { title: 'BURN', isWide: true, text: burnText },
  { title: 'TURNED-AWAY', isWide: true, text: (item) => show(item.turnedAway) },
  { title: 'IN-A-ROW', isWide: true, text: (item) => show(item.consecutiveFailures) },
  { title: 'REASON', text: (item) => show(item.heldBack ?? item.reason) },
];

const UPSTREAMS: readonly Column[] = [
  { title: 'UPSTREAM', text: (item) => show(item.upstream) },
  { title: 'ENDPOINT', text: (item) => show(item.id) },
  { title: 'NAME', isWide: true, text: (item) => show(item.name) },
  { title: 'STATE', text: endpointState },
  { title: 'ACTIVE', text: (item) => show(item.active) },
  { title: 'IDLE', text: (item) => show(item.idle) },
  { title: 'PENDING', isWide: true, text: (item) => show(item.pending) },
  { title: 'REASON', text: (item) => show(item.reason) },
];

const ROLLOUTS: readonly Column[] = [
  { title: 'EXPERIMENT', text: (item) => show(item.experiment) },
  { title: 'PHASE', text: (item) => show(item.phase) },
  {
    title: 'STEP',
    text: (item) => `${show(item.step)}/${Array.isArray(item.steps) ? item.steps.length : '-'}`,
  },
  { title: 'SHARE', text: (item) => show(item.share) },
  { title: 'WATCHED', text: (item) => show(item.watched) },
  { title: 'ETA', text: (item) => show(item.eta) },
  { title: 'ID', isWide: true, text: (item) => show(item.id) },
  { title: 'SINCE', isWide: true, text: (item) => show(item.since) },
  { title: 'REASON', text: (item) => show(item.reason) },
];

/** A table with its "\n"; experiments changed at run time bear a star. */
export function tableOf(what: GetWhat, items: readonly Item[], isWide: boolean): string {
  if (items.length === 0) return `no ${what}\n`;
  const columns = columnsOf(what).filter((column) => isWide || column.isWide !== true);
  const rows = (what === 'upstreams' ? items.flatMap(endpointsOf) : items).map((item) =>
    columns.map((column) => column.text(item)),
  );
  const table = new Table({
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': 3, head: [], border: [] },
  });
  table.push(
    columns.map((column) => column.title),
    ...rows,
  );
  const text = table.toString().replace(/ +$/gm, '');
  const isChanged = what === 'experiments' && items.some((item) => item.runtime);
  return `${text}\n${isChanged ? '* changed at run time; `fairlead get experiments -o yaml` says by whom\n' : ''}`;
}

function columnsOf(what: GetWhat): readonly Column[] {
  switch (what) {
    case 'experiments':
      return EXPERIMENTS;
    case 'layers':
      return LAYERS;
    case 'breakers':
      return BREAKERS;
    case 'upstreams':
      return UPSTREAMS;
    case 'rollouts':
      return ROLLOUTS;
  }
}

/** Of a table for people that a pipe to awk can read. */
export const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};

function endpointsOf(upstream: Item): Item[] {
  const endpoints = Array.isArray(upstream.endpoints) ? (upstream.endpoints as Item[]) : [];
  const names = Array.isArray(upstream.names) ? (upstream.names as Item[]) : [];
  const unknown = names
    .filter((name) => name.endpoints === 0)
    .map(({ name, state }) => ({ id: name, state }));
  return [...endpoints, ...unknown].map((endpoint) => ({ ...endpoint, upstream: upstream.name }));
}

/** Whether it gets requests, and if not, why; of a name without an address, what became of it. */
function endpointState({ state, isUsed }: Item): string {
  return isUsed === true && state !== 'ok' ? `${show(state)}, used` : show(state);
}

function variantsOf(item: Item): readonly VariantItem[] {
  return Array.isArray(item.variants) ? item.variants : [];
}

/** `running`, `running,ended` when something is the matter, and a star when it was changed at run time. */
function statusText(item: Item): string {
  const condition = item.condition ? `,${show(item.condition)}` : '';
  return `${show(item.status)}${condition}${item.runtime ? ' *' : ''}`;
}

/** `ranking 0%-40%`. */
function layerText(item: Item): string {
  const name = memberOf(item.layer, 'name');
  return name === undefined ? '-' : `${show(name)} ${show(memberOf(item.layer, 'ranges'))}`;
}

/** `search 0%-40%` for each experiment of a layer, with its status unless it is running. */
function membersOf(experiments: unknown): string[] {
  const list = Array.isArray(experiments) ? (experiments as Item[]) : [];
  return list.map(({ name, ranges, status }) => {
    const note = status === 'running' ? '' : ` (${show(status)})`;
    return `${show(name)} ${Array.isArray(ranges) ? ranges.join('+') : '-'}${note}`;
  });
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Item)[key] : undefined;
}

/** `closed`, or who is not, or is in another mode. */
function breakersText(item: Item): string {
  const all = variantsOf(item).flatMap((variant) => variant.breakers ?? []);
  if (all.length === 0) return '-';
  const others = all.filter(({ state, mode = 'enforce' }) => state !== 'closed' || mode !== 'enforce');
  if (others.length === 0) return 'closed';
  const noteOf = (mode = 'enforce'): string => (mode === 'enforce' ? '' : ` (${mode})`);
  return others.map(({ name, state, mode }) => `${name} ${state}${noteOf(mode)}`).join(', ');
}

/** `enforce`, or `forced-open 42s`, with the time that is left. */
function modeText(item: Item): string {
  const forMs = memberOf(item.force, 'forMs');
  return `${show(item.mode)}${typeof forMs === 'number' ? ` ${timeLeft(forMs)}` : ''}`;
}

/** `45s`, `59m`, `23h`: in the largest unit of which there are two, rounded up. */
function timeLeft(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 120) return `${seconds}s`;
  return seconds < 7200 ? `${Math.ceil(seconds / 60)}m` : `${Math.ceil(seconds / 3600)}h`;
}

/** `0.4x/14.4x`: how fast it burns over both times of each rule, and the limit. */
function burnText(item: Item): string {
  const rules = memberOf(item.budget, 'burn');
  if (!Array.isArray(rules) || rules.length === 0) return '-';
  const shown = (rules as Item[]).map(({ rate, long, short }) => {
    const burning = Math.min(Number(long), Number(short));
    return `${Math.round(burning * 10) / 10}x/${show(rate)}x`;
  });
  return shown.join(', ');
}

function percent(value: unknown): string {
  return typeof value === 'number' ? `${Math.round(value * 1000) / 10}%` : '-';
}

function show(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(String).join(', ');
  return value === null || value === undefined || value === '' ? '-' : String(value);
}
