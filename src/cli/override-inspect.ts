/**
 * `fairlead override inspect TOKEN`: what a token holds, and whether it would be believed. Without a key its signature
 * is not checked, and it says so. Sends nothing.
 */
import {
  isSignedBy,
  readToken,
  refusalOf,
  type TokenParts,
  type TokenRefusal,
} from '../propagation/token.ts';
import { type TokenKey, unitHash } from '../propagation/token-key.ts';
import { Exit, type Io } from './io.ts';
import { type FoundKeys, findKeys, type KeyOptions } from './override-keys.ts';

export interface InspectOptions extends KeyOptions {
  readonly token: string;
  /** The service that would get it; that of the configuration unless given. */
  readonly service?: string | undefined;
  /** The unit of the request that would bring it. */
  readonly unit?: string | undefined;
  readonly output: 'text' | 'json';
}

const CLOCK_SKEW_S = 30;

const SENTENCES: Readonly<Partial<Record<TokenRefusal, string>>> = {
  malformed: 'it is no token, or one that was changed',
  'too-large': 'it is longer than 4 KiB',
  'unknown-key': 'none of the keys has its key id',
  'bad-signature': 'the signature is not that of the key: it was forged or changed',
  'wrong-audience': 'it is for another service',
  expired: 'it has expired',
  'not-yet': 'it was issued in the future; are the clocks right?',
  unit: 'it is for another unit',
};

/** 0 when it would be believed as far as can be told, 1 when not. */
export async function inspectCommand(options: InspectOptions, io: Io, wallMs: number): Promise<number> {
  const found = await findKeys(options, io);
  const parts = readToken(options.token.trim());
  const refusal = typeof parts === 'string' ? parts : refusalFor(parts, found, options, wallMs);
  const isChecked = found.keys.length > 0;
  if (options.output === 'json') {
    const held = typeof parts === 'string' ? null : { key: parts.keyId, ...described(parts) };
    io.out(`${JSON.stringify({ token: held, isSignatureChecked: isChecked, refusal }, null, 2)}\n`);
  } else {
    if (typeof parts !== 'string') io.out(text(parts));
    io.out(line('verdict', verdict(refusal, isChecked)));
  }
  return refusal === null ? Exit.ok : Exit.negative;
}

function refusalFor(
  parts: TokenParts,
  { keys, config }: FoundKeys,
  { service, unit }: InspectOptions,
  wallMs: number,
): TokenRefusal | null {
  const key = keys.find(({ id }) => id === parts.keyId);
  if (keys.length > 0) {
    if (key === undefined) return 'unknown-key';
    if (!isSignedBy(parts, key)) return 'bad-signature';
  }
  const { claims } = parts;
  const refusal = refusalOf(claims, {
    purpose: claims.purpose,
    service: service ?? config?.service ?? claims.audience,
    nowS: wallMs / 1000,
    skewS: config?.tokens === undefined ? CLOCK_SKEW_S : config.tokens.clockSkew / 1000,
  });
  return refusal ?? (unit !== undefined && key !== undefined && !isFor(parts, key, unit) ? 'unit' : null);
}

function isFor({ claims }: TokenParts, key: TokenKey, unit: string): boolean {
  const hash = unitHash(key, unit);
  return claims.entries.every((entry) => entry.unit === '' || entry.unit === hash);
}

function described({ claims }: TokenParts) {
  const { purpose, audience, issuedS, expiresS, entries } = claims;
  return {
    purpose,
    audience,
    issued: new Date(issuedS * 1000).toISOString(),
    expires: new Date(expiresS * 1000).toISOString(),
    experiments: entries.map(({ experiment, variant, epoch, unit }) => {
      return { experiment, variant, epoch, isForOneUnit: unit !== '' };
    }),
  };
}

function text(parts: TokenParts): string {
  const { purpose, audience, issued, expires, experiments } = described(parts);
  const lines = [
    line('purpose', purpose === 'context' ? 'context: what a sidecar vouches for' : 'override'),
    line('service', audience === '*' ? 'any' : audience),
    line('key', parts.keyId),
    line('issued', issued),
    line('expires', expires),
  ];
  for (const { experiment, variant, epoch, isForOneUnit } of experiments) {
    const epochText = epoch === 0 ? '' : `, epoch ${epoch}`;
    lines.push(
      line(
        'experiment',
        `${experiment}=${variant}, for ${isForOneUnit ? 'one unit' : 'any unit'}${epochText}`,
      ),
    );
  }
  return lines.join('');
}

function verdict(refusal: TokenRefusal | null, isChecked: boolean): string {
  if (refusal !== null) return `refused (${refusal}): ${SENTENCES[refusal] ?? refusal}`;
  return isChecked
    ? 'good: a listener that believes tokens believes it'
    : 'nothing speaks against it, but its signature was not checked; name a key with --config or --key-file';
}

function line(label: string, value: string): string {
  return `${label.padEnd(10)}  ${value}\n`;
}
