/**
 * What kind of program asks, by what it says of itself. Coarse on purpose: it tells which clients a wrong split comes
 * from, and nobody's browser from another's.
 */
import { AGENTS, type Agent } from '../../analysis/collection/delta.ts';

const BOT = /bot\b|crawl|spider|slurp|headless|lighthouse|monitor|probe/i;
const BROWSER = /^(?:Mozilla|Opera)\//;
/** `okhttp/4.12.0`, `curl/8.5`, `Go-http-client/1.1`, `acme-app/3 CFNetwork/...`: a name and a version, at the beginning. */
const PROGRAM = /^[\w.-]{1,64}\/v?\d/;
/** User agents whose kind is remembered: nearly every one comes again. */
const REMEMBERED_MAX = 1000;
/** More of one is not looked at. */
const AGENT_MAX_CHARS = 512;

const remembered = new Map<string, number>();

/** The kind, as a number of `AGENTS`. */
export function agentOf(userAgent: string | null): number {
  if (userAgent === null || userAgent === '') return NONE;
  const known = remembered.get(userAgent);
  if (known !== undefined) return known;
  const agent = AGENTS.indexOf(kindOf(userAgent.slice(0, AGENT_MAX_CHARS)));
  if (remembered.size === REMEMBERED_MAX) remembered.clear();
  remembered.set(userAgent, agent);
  return agent;
}

const NONE = AGENTS.indexOf('none');

function kindOf(userAgent: string): Agent {
  if (BOT.test(userAgent)) return 'bot';
  if (BROWSER.test(userAgent)) return 'browser';
  return PROGRAM.test(userAgent) ? 'library' : 'other';
}
