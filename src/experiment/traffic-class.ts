/**
 * Whose request it is, where it is nobody's: a health check, synthetic traffic, a bot. Such requests take part in no
 * experiment, and are kept out of its analysis. Pure; made once for a configuration, no regular expression of a user
 * runs on more than `USER_AGENT_MAX` characters.
 *
 * A request has at most one class, and what says most of itself goes first: the header of synthetic traffic, then
 * health checks, then bots. A user agent is what the client says it is: this keeps honest robots out, and nobody else.
 */
import { RE2JS } from 're2js';
import type { RequestAttributes } from './model.ts';

export type TrafficClass = 'synthetic' | 'health-check' | 'bot';

/** In the order in which they are asked. */
export const TRAFFIC_CLASSES: readonly TrafficClass[] = ['synthetic', 'health-check', 'bot'];

/** So much of a user agent is looked at; browsers send about 120 characters. */
export const USER_AGENT_MAX = 512;

/** User agents whose answer is remembered: at most half a megabyte. */
const REMEMBERED_MAX = 1000;

/** How the user agents of the health checkers that people have in front of a service begin. */
export const KNOWN_HEALTH_CHECKS: readonly string[] = [
  'kube-probe/',
  'ELB-HealthChecker/',
  'GoogleHC/',
  'GoogleStackdriverMonitoring-UptimeChecks',
  'Amazon-Route53-Health-Check-Service',
  'Azure Traffic Manager Endpoint Monitor',
  'Edge Health Probe',
  'Load Balancer Agent',
  'Consul Health Check',
  'Envoy/HC',
];

/**
 * Words that robots which say what they are have in their user agent; no word of a library (`curl`, `okhttp`), since
 * services call services by them. Ours, short, and without nested repetition, so the faster engine may run it.
 */
const KNOWN_BOT =
  /(?<!cu)bot\b|(?<!cu)bot[-_/;)@]|crawler|crawling|spider|slurp|externalhit|ia_archiver|mediapartners|headlesschrome|lighthouse|phantomjs|feedfetcher|uptimerobot|pingdom/i;

/** What is excluded, as configured. Each may be empty; then nothing is of that class. */
export interface ClassifySettings {
  /** The request is synthetic when it has this field, whatever it says; lower case, null: none. */
  readonly syntheticHeader: string | null;
  /** How a health checker's user agent begins, as it is written. */
  readonly healthCheckAgents: readonly string[];
  /** Paths of health checks: exact, or all below one (`/health/*`). */
  readonly healthCheckPaths: readonly string[];
  /** Whether `KNOWN_BOT` is asked. */
  readonly hasKnownBots: boolean;
  /** RE2, found anywhere in the user agent in any case. */
  readonly botPatterns: readonly string[];
}

export class TrafficClassifier {
  /** By the first byte of the user agent, 1 where it may be excluded; null: the whole request has to be looked at. */
  readonly #firstBytes: Uint8Array | null;
  readonly #settings: ClassifySettings;
  readonly #exactPaths: ReadonlySet<string>;
  /** Each ends with a slash. */
  readonly #pathPrefixes: readonly string[];
  readonly #bots: RE2JS | null;
  /** Of the bots' patterns by user agent: patterns take microseconds, and nearly every agent comes again. */
  readonly #remembered = new Map<string, boolean>();

  /** Throws what `re2js` throws for a pattern that is not RE2. */
  constructor(settings: ClassifySettings) {
    this.#settings = settings;
    const { healthCheckPaths, botPatterns } = settings;
    this.#exactPaths = new Set(healthCheckPaths.filter((path) => !path.endsWith('/*')));
    this.#pathPrefixes = healthCheckPaths
      .filter((path) => path.endsWith('/*'))
      .map((path) => path.slice(0, -1));
    this.#bots = botPatterns.length === 0 ? null : combined(botPatterns);
    this.#firstBytes = firstBytes(settings);
    Object.freeze(this);
  }

  /**
   * Whether a request has to be asked about whose user agent begins with this byte (-1: it has none). With health
   * checks by user agent alone, which is the default, that clears nearly all requests.
   */
  isWorthAsking(firstByte: number): boolean {
    if (this.#firstBytes === null) return true;
    return firstByte >= 0 && this.#firstBytes[firstByte] === 1;
  }

  /** The class of a request; null: it is anybody's. Throws nothing. */
  classOf(request: RequestAttributes): TrafficClass | null {
    const { syntheticHeader, healthCheckPaths } = this.#settings;
    if (syntheticHeader !== null && request.header(syntheticHeader) !== null) return 'synthetic';
    if (healthCheckPaths.length > 0 && this.#isHealthPath(request.path)) return 'health-check';
    const whole = request.header('user-agent');
    if (whole === null) return null;
    const agent = whole.length > USER_AGENT_MAX ? whole.slice(0, USER_AGENT_MAX) : whole;
    if (this.#isHealthAgent(agent)) return 'health-check';
    const isAsked = this.#settings.hasKnownBots || this.#bots !== null;
    return isAsked && this.#isBot(agent) ? 'bot' : null;
  }

  #isHealthPath(path: string): boolean {
    if (this.#exactPaths.has(path)) return true;
    for (let i = 0; i < this.#pathPrefixes.length; i++)
      if (path.startsWith(this.#pathPrefixes[i]!)) return true;
    return false;
  }

  #isHealthAgent(agent: string): boolean {
    const { healthCheckAgents } = this.#settings;
    for (let i = 0; i < healthCheckAgents.length; i++)
      if (agent.startsWith(healthCheckAgents[i]!)) return true;
    return false;
  }

  #isBot(agent: string): boolean {
    const known = this.#remembered.get(agent);
    if (known !== undefined) return known;
    const isBot = (this.#settings.hasKnownBots && KNOWN_BOT.test(agent)) || this.#bots?.test(agent) === true;
    // Beginning anew costs less than knowing which of them are the oldest.
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.set(agent, isBot);
    return isBot;
  }
}

/** Is there anything that these settings exclude? */
export function isAnythingExcluded(settings: ClassifySettings): boolean {
  const { syntheticHeader, healthCheckAgents, healthCheckPaths, hasKnownBots, botPatterns } = settings;
  return (
    syntheticHeader !== null ||
    hasKnownBots ||
    healthCheckAgents.length + healthCheckPaths.length + botPatterns.length > 0
  );
}

/** One pattern for all, in any case. Throws what `re2js` throws. */
export function combined(patterns: readonly string[]): RE2JS {
  // Each on its own first: `a(` and `)b` are a pattern only together.
  for (const pattern of patterns) RE2JS.compile(pattern);
  return RE2JS.compile(patterns.map((pattern) => `(?:${pattern})`).join('|'), RE2JS.CASE_INSENSITIVE);
}

function firstBytes(settings: ClassifySettings): Uint8Array | null {
  const { syntheticHeader, healthCheckPaths, hasKnownBots, botPatterns, healthCheckAgents } = settings;
  const isAgentsOnly =
    syntheticHeader === null && healthCheckPaths.length === 0 && !hasKnownBots && botPatterns.length === 0;
  if (!isAgentsOnly) return null;
  const table = new Uint8Array(256);
  for (const agent of healthCheckAgents) table[agent.charCodeAt(0) & 0xff] = 1;
  return table;
}
