/**
 * The fingerprint of a declared configuration, and the configuration as it may be shown. Pure. Secrets go into
 * neither.
 */
import { createHash } from 'node:crypto';
import { withoutAccessSecrets } from './admin-access.ts';
import { canonicalJson } from './canonical.ts';
import { withoutExposureSecrets, withoutTracingSecrets } from './exposure-secrets.ts';
import { withKeyFiles } from './key-files.ts';
import { decidingOrder } from './order.ts';
import { withPem } from './pem.ts';
import type { Config } from './schema.ts';
import { withoutSegmentSecrets } from './segment-secrets.ts';
import { withTokenText } from './tokens.ts';
import { withoutWebhookSecrets } from './webhooks.ts';

const HASH_DIGITS = 12;
/** Stands for a secret. */
export const REDACTED = '[redacted]';

/** A change made at run time leaves the configuration as it is, and hashing a large one takes as long as compiling it. */
const hashes = new WeakMap<Config, string>();

/**
 * First 12 hex digits of SHA-256 over canonical JSON: the same for another spelling of units, other comments, and another
 * order of keys but where the order decides.
 */
export function configHash(config: Config): string {
  const known = hashes.get(config);
  if (known !== undefined) return known;
  const hash = createHash('sha256')
    .update(canonicalJson([withoutSecrets(config, undefined), decidingOrder(config)]))
    .digest('hex')
    .slice(0, HASH_DIGITS);
  hashes.set(config, hash);
  return hash;
}

/** A copy for `GET /v1/config` and logs: the secrets that are set read `[redacted]`. */
export function redact(config: Config): Config {
  return withoutSecrets(config, REDACTED);
}

function withoutSecrets(config: Config, replacement: string | undefined): Config {
  const shown = (): string => replacement ?? '';
  const withoutFiles = withTokenText(withPem(withoutNamed(config, replacement), shown), shown);
  const { $schema: _, ...rest } = withKeyFiles(withoutFiles, shown, () => replacement);
  return {
    ...rest,
    ...withoutAccessSecrets(config, replacement),
    exposures: withoutExposureSecrets(config, replacement),
    tracing: withoutTracingSecrets(config, replacement),
  };
}

/** Without the secrets of what there are several of, by name. */
function withoutNamed(config: Config, replacement: string | undefined): Config {
  return withoutWebhookSecrets(withoutSegmentSecrets(config, replacement), replacement);
}
