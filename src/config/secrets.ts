/**
 * Secrets that live in files of their own. Pure: it says which files, and puts in what was read; reading is
 * `control/`'s.
 */
import { accessFiles, withAccessSecrets } from './admin-access.ts';
import { exposureFiles, withExposureSecrets, withTracingSecrets } from './exposure-secrets.ts';
import type { ConfigPath } from './issue.ts';
import type { Config } from './schema.ts';
import { webhookFiles, withWebhookSecrets } from './webhooks.ts';

export interface SecretFile {
  readonly path: ConfigPath;
  readonly file: string;
}

/** The files that must be read before the config can be compiled, PEM files apart: those are in `pem.ts`. */
export function secretFiles(config: Config): SecretFile[] {
  return [...accessFiles(config), ...exposureFiles(config), ...webhookFiles(config)];
}

/** @param contents By file name; surrounding white space is not part of a secret. */
export function withSecrets(config: Config, contents: ReadonlyMap<string, string>): Config {
  const read = (file: string | undefined): string | undefined =>
    file === undefined ? undefined : contents.get(file)?.trim();
  return {
    ...withWebhookSecrets(config, read),
    ...withAccessSecrets(config, read),
    exposures: withExposureSecrets(config, read),
    tracing: withTracingSecrets(config, read),
  };
}
