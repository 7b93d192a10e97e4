/**
 * Who may use the admin API, and the key of the audit trail: which files the secrets are in, copies of the
 * configuration with something else in their place, and what contradicts itself. Pure.
 */
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { Config } from './schema.ts';
import type { AdminTokenConfig } from './schema-audit.ts';
import type { SecretFile } from './secrets.ts';
import type { AdminSettings } from './snapshot.ts';

/** The name under which `admin.token` is on record. */
export const SHARED_TOKEN = 'token';

/** Every file of a secret, in the order of the configuration. */
export function accessFiles({ admin, audit }: Config): SecretFile[] {
  const files: SecretFile[] = [];
  const add = (file: string | undefined, ...path: ConfigPath): void => {
    if (file !== undefined) files.push({ path, file });
  };
  add(admin.tokenFile, 'admin', 'tokenFile');
  for (const [index, { tokenFile }] of admin.tokens.entries())
    add(tokenFile, 'admin', 'tokens', index, 'tokenFile');
  add(audit?.keyFile, 'audit', 'keyFile');
  return files;
}

/** A copy in which each secret is what `read` answers for its file, or what it was. */
export function withAccessSecrets(
  { admin, audit }: Config,
  read: (file: string | undefined) => string | undefined,
): Pick<Config, 'admin' | 'audit'> {
  return {
    admin: {
      ...admin,
      token: read(admin.tokenFile) ?? admin.token,
      tokens: admin.tokens.map((one) => ({ ...one, token: read(one.tokenFile) ?? one.token })),
    },
    audit: audit && { ...audit, key: read(audit.keyFile) ?? audit.key },
  };
}

/** A copy to be shown or hashed. */
export function withoutAccessSecrets(
  { admin, audit }: Config,
  replacement: string | undefined,
): Pick<Config, 'admin' | 'audit'> {
  const hide = (secret: string | undefined) => (secret === undefined ? undefined : replacement);
  return {
    admin: {
      ...admin,
      token: hide(admin.token),
      tokens: admin.tokens.map((one) => ({ ...one, token: hide(one.token) })),
    },
    audit: audit && { ...audit, key: hide(audit.key) },
  };
}

/** What contradicts itself, or would leave nobody to approve. */
export function accessIssues(
  { admin, protect }: Config,
  issueAt: (path: ConfigPath, message: string, options?: { severity: 'warning' }) => ConfigIssue,
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const roles = new Map<string, AdminTokenConfig['role']>();
  for (const [index, { name, role }] of admin.tokens.entries()) {
    const at: ConfigPath = ['admin', 'tokens', index];
    if (name === SHARED_TOKEN)
      issues.push(issueAt([...at, 'name'], `${JSON.stringify(name)} is what admin.token is called`));
    else if ((roles.get(name) ?? role) !== role)
      issues.push(issueAt([...at, 'role'], `${name} is ${roles.get(name)} already; one person has one role`));
    roles.set(name, roles.get(name) ?? role);
  }
  if (admin.readRole !== undefined && admin.tokens.length === 0 && !hasSharedToken(admin))
    issues.push(issueAt(['admin', 'readRole'], 'there is no token, so nobody could read'));
  const people =
    [...roles.values()].filter((role) => role === 'operator' || role === 'admin').length +
    (hasSharedToken(admin) ? 1 : 0);
  if (admin.tokens.length > 0 && protect.length > 0 && people < 2)
    issues.push(
      issueAt(
        ['protect'],
        'changes on protected routes need two people, and fewer than two tokens may change',
        {
          severity: 'warning',
        },
      ),
    );
  return issues;
}

/** Who may do what, and on which routes it takes two. */
export function compileAccess({
  admin,
  protect,
}: Config): Pick<AdminSettings, 'token' | 'tokens' | 'readRole' | 'protectedRoutes'> {
  return {
    token: admin.token ?? null,
    // A file that has not been read is nobody's token.
    tokens: admin.tokens.flatMap(({ name, role, token }) => (token ? [{ name, role, token }] : [])),
    readRole: admin.readRole ?? null,
    protectedRoutes: admin.tokens.length === 0 ? [] : protect,
  };
}

function hasSharedToken({ token, tokenFile }: Config['admin']): boolean {
  return token !== undefined || tokenFile !== undefined;
}
