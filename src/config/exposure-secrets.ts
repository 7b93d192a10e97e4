/** The secrets of exposures and of tracing: which files they are in, and copies of the settings with something else in them. Pure. */
import type { ConfigPath } from './issue.ts';
import type { Config } from './schema.ts';
import type { ExposuresConfig, SinkConfig } from './schema-exposures.ts';
import type { SecretFile } from './secrets.ts';

/** Every file of a secret, in the order of the configuration. */
export function exposureFiles({ exposures, tracing }: Config): SecretFile[] {
  const files: SecretFile[] = [];
  const add = (file: string | undefined, ...path: ConfigPath): void => {
    if (file !== undefined) files.push({ path: ['exposures', ...path], file });
  };
  add(exposures.keyFile, 'keyFile');
  for (const [index, { keyFile }] of exposures.unitKeys.entries()) add(keyFile, 'unitKeys', index, 'keyFile');
  for (const [index, sink] of exposures.sinks.entries()) {
    if (sink.kind === 'kafka') add(sink.passwordFile, 'sinks', index, 'passwordFile');
    else if (sink.kind !== 'file') add(sink.tokenFile, 'sinks', index, 'tokenFile');
  }
  if (tracing?.tokenFile !== undefined)
    files.push({ path: ['tracing', 'tokenFile'], file: tracing.tokenFile });
  return files;
}

/** A copy in which each secret is what `read` answers for its file, or what it was. */
export function withExposureSecrets(
  { exposures }: Config,
  read: (file: string | undefined) => string | undefined,
): ExposuresConfig {
  return {
    ...exposures,
    key: read(exposures.keyFile) ?? exposures.key,
    unitKeys: exposures.unitKeys.map((one) => ({ ...one, key: read(one.keyFile) ?? one.key })),
    sinks: exposures.sinks.map((sink): SinkConfig => {
      if (sink.kind === 'file') return sink;
      if (sink.kind === 'kafka') return { ...sink, password: read(sink.passwordFile) ?? sink.password };
      return { ...sink, token: read(sink.tokenFile) ?? sink.token };
    }),
  };
}

/** A copy to be shown or hashed: of a URL its host only, as its path may be as good as a secret. */
export function withoutExposureSecrets(
  { exposures }: Config,
  replacement: string | undefined,
): ExposuresConfig {
  const hide = (secret: string | undefined) => (secret === undefined ? undefined : replacement);
  return {
    ...exposures,
    key: hide(exposures.key),
    unitKeys: exposures.unitKeys.map((one) => ({ ...one, key: hide(one.key) })),
    sinks: exposures.sinks.map((sink): SinkConfig => {
      if (sink.kind === 'file') return sink;
      if (sink.kind === 'kafka') return { ...sink, password: hide(sink.password) };
      const url = replacement === undefined ? sink.url : `${new URL(sink.url).origin}/${replacement}`;
      return { ...sink, url, token: hide(sink.token) };
    }),
  };
}

/** A copy in which the token is what `read` answers for its file, or what it was. */
export function withTracingSecrets(
  { tracing }: Config,
  read: (file: string | undefined) => string | undefined,
): Config['tracing'] {
  if (tracing === undefined) return undefined;
  return { ...tracing, token: read(tracing.tokenFile) ?? tracing.token };
}

/** A copy to be shown or hashed: of the URL its host only. */
export function withoutTracingSecrets(
  { tracing }: Config,
  replacement: string | undefined,
): Config['tracing'] {
  if (tracing === undefined) return undefined;
  const url = replacement === undefined ? tracing.url : `${new URL(tracing.url).origin}/${replacement}`;
  return { ...tracing, url, token: tracing.token === undefined ? undefined : replacement };
}
