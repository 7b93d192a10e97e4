/** The secrets of webhooks: which files they are in, and copies of the configuration with something else in them. Pure. */
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { Config } from './schema.ts';
import type { SecretFile } from './secrets.ts';

/** Every file of a secret, in the order of the configuration. */
export function webhookFiles({ webhooks }: Config): SecretFile[] {
  return webhooks.flatMap(({ secretFile }, index) =>
    secretFile === undefined ? [] : [{ path: ['webhooks', index, 'secretFile'], file: secretFile }],
  );
}

/** A copy in which each webhook has what `read` answers for its file, or the secret it had. */
export function withWebhookSecrets(
  config: Config,
  read: (file: string | undefined) => string | undefined,
): Config {
  const webhooks = config.webhooks.map((webhook) => ({
    ...webhook,
    secret: read(webhook.secretFile) ?? webhook.secret,
  }));
  return { ...config, webhooks };
}

/** A copy to be shown or hashed: the path of a URL is as good as a secret with many services that have webhooks. */
export function withoutWebhookSecrets(config: Config, replacement: string | undefined): Config {
  const webhooks = config.webhooks.map((webhook) => ({
    ...webhook,
    url: replacement === undefined ? webhook.url : `${new URL(webhook.url).origin}/${replacement}`,
    secret: webhook.secret === undefined ? undefined : replacement,
  }));
  return { ...config, webhooks };
}

/** Two of one name. */
export function webhookIssues(
  { webhooks }: Config,
  issueAt: (path: ConfigPath, message: string) => ConfigIssue,
): ConfigIssue[] {
  const names = new Set<string>();
  const issues: ConfigIssue[] = [];
  for (const [index, { name }] of webhooks.entries()) {
    if (names.has(name))
      issues.push(issueAt(['webhooks', index, 'name'], `two webhooks are called ${JSON.stringify(name)}`));
    names.add(name);
  }
  return issues;
}
