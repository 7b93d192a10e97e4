/**
 * `fairlead override mint`: a signed override, for a tester to send where unsigned ones are not believed. Prints the
 * token and nothing else to stdout, and how to use it to stderr. Never prints a key or a unit.
 */
import type { Config } from '../config/schema.ts';
import { didYouMean } from '../config/suggest.ts';
import { formatDuration, parseDuration } from '../config/units.ts';
import { ANY_AUDIENCE, signToken, type TokenEntry } from '../propagation/token.ts';
import { type TokenKey, unitHash } from '../propagation/token-key.ts';
import { CliError, Exit, type Io } from './io.ts';
import { findKeys, type KeyOptions } from './override-keys.ts';

export interface MintOptions extends KeyOptions {
  /** `NAME=VARIANT`. */
  readonly experiment: readonly string[];
  /** The one unit it is for; anybody's unless given. */
  readonly unit?: string | undefined;
  readonly ttl: string;
  /** The one service it is for; any unless given. */
  readonly service?: string | undefined;
  readonly output: 'text' | 'json';
}

/** Who needs one for longer can make another. */
const TTL_MAX_MS = 7 * 86_400_000;
const DEFAULT_HEADER = 'x-experiment-override';
const DEFAULT_COOKIE = 'fairlead_override';

/** 0 with a token, 2 for one that cannot be, 3 for a config that is not valid, 78 for a key that cannot be read. */
export async function mintCommand(options: MintOptions, io: Io, wallMs: number): Promise<number> {
  const { keys, config } = await findKeys(options, io);
  const key = keys.find(({ signing }) => signing !== null);
  if (key === undefined)
    throw new CliError(
      Exit.usage,
      keys.length === 0
        ? 'name a key: --config FILE, or --key-file FILE --key-id ID'
        : 'the key only verifies; a private key or a secret signs',
    );
  const entries = options.experiment.map((text) => entryOf(text, options.unit, key, config));
  const issuedS = Math.floor(wallMs / 1000);
  const audience = options.service ?? ANY_AUDIENCE;
  const expiresS = issuedS + ttlSeconds(options.ttl);
  const token = tokenOf({ purpose: 'override', audience, issuedS, expiresS, entries }, key);
  const expires = new Date(expiresS * 1000).toISOString();
  if (options.output === 'json') {
    const experiments = Object.fromEntries(entries.map(({ experiment, variant }) => [experiment, variant]));
    const shown = {
      token,
      key: key.id,
      experiments,
      isForOneUnit: options.unit !== undefined,
      audience,
      expires,
    };
    io.out(`${JSON.stringify(shown, null, 2)}\n`);
    return Exit.ok;
  }
  io.out(`${token}\n`);
  const header = config?.propagation.overrideHeader ?? DEFAULT_HEADER;
  const cookie = config?.propagation.overrideCookie ?? DEFAULT_COOKIE;
  const who = options.unit === undefined ? 'whoever sends it' : 'the one unit';
  const where = options.service === undefined ? 'any service' : options.service;
  io.err(
    `for ${who}, at ${where}, until ${expires}, signed with ${key.id}; send it to a listener with trust.overrides token\n` +
      `  as a header: curl -H "${header}: $TOKEN" ...\n` +
      `  as a cookie: ${cookie}=$TOKEN\n`,
  );
  return Exit.ok;
}

function entryOf(text: string, unit: string | undefined, key: TokenKey, config: Config | null): TokenEntry {
  const [experiment = '', variant = '', ...rest] = text.split('=');
  if (experiment === '' || variant === '' || rest.length > 0)
    throw new CliError(Exit.usage, `${JSON.stringify(text)} is no NAME=VARIANT, such as checkout=candidate`);
  if (config !== null) check(config, experiment, variant);
  return { experiment, variant, epoch: 0, unit: unit === undefined ? '' : unitHash(key, unit) };
}

function check({ experiments }: Config, experiment: string, variant: string): void {
  const found = Object.hasOwn(experiments, experiment) ? experiments[experiment] : undefined;
  if (found === undefined) {
    const known = didYouMean(experiment, Object.keys(experiments));
    throw new CliError(Exit.usage, `there is no experiment ${JSON.stringify(experiment)}${known}`);
  }
  const variants = Object.keys(found.variants);
  if (!variants.includes(variant))
    throw new CliError(
      Exit.usage,
      `${experiment} has no variant ${JSON.stringify(variant)}${didYouMean(variant, variants)}`,
    );
}

function ttlSeconds(text: string): number {
  const ttl = parseDuration(text);
  if (!ttl.ok) throw new CliError(Exit.usage, `--ttl: ${ttl.problem}`);
  if (ttl.value < 1000 || ttl.value > TTL_MAX_MS)
    throw new CliError(Exit.usage, `--ttl: found ${text}; expected from 1s to ${formatDuration(TTL_MAX_MS)}`);
  return Math.floor(ttl.value / 1000);
}

function tokenOf(claims: Parameters<typeof signToken>[0], key: TokenKey): string {
  try {
    const token = signToken(claims, key);
    if (token !== null) return token;
  } catch {
    throw new CliError(
      Exit.usage,
      'a name is none that a token can hold, or an experiment is named twice; give at least one --experiment NAME=VARIANT',
    );
  }
  throw new CliError(Exit.usage, 'the token would be longer than 4 KiB; name fewer experiments');
}
