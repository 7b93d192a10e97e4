/**
 * `config/reference.md`: every key of the configuration with its type, default and meaning, made from the JSON
 * Schema so that it cannot be out of date. Pure.
 */

import { ADDRESS_PATTERN } from './address.ts';
import { alternatives, rootSchema, type SchemaNode } from './json-schema.ts';
import { RATE_PATTERN } from './rate.ts';
import { DURATION_PATTERN, PERCENT_PATTERN, SIZE_PATTERN } from './units.ts';

const INTRODUCTION = `# Configuration reference

Made by \`fairlead schema --markdown\` from the schema; do not edit. Worked examples are in
[docs/configuration.md](../docs/configuration.md).

Durations are written \`250ms\`, \`10s\`, \`1m30s\`; sizes \`64KiB\`, \`10MB\`; shares \`5%\`, \`0.25%\`; addresses
\`host:port\`, \`[::1]:port\` or \`unix:/path\`. A **bold** key must be given. Keys that are not listed are errors,
except keys at the top level that begin with \`x-\`, which are ignored and are a place for YAML anchors.
`;

const ENVIRONMENT = `
## Environment variables

\`FAIRLEAD_\` and the path, in capitals, with \`__\` between levels, wins over the file:

| variable | key |
|---|---|
| \`FAIRLEAD_ADMIN__TOKEN_FILE=/run/secrets/token\` | \`admin.tokenFile\` |
| \`FAIRLEAD_TIMEOUTS__FIRST_BYTE=5s\` | \`timeouts.firstByte\` |
| \`FAIRLEAD_LISTENERS__0__ADDRESS=127.0.0.1:8080\` | \`listeners[0].address\` |
| \`FAIRLEAD_UPSTREAMS__APP__ENDPOINTS='["127.0.0.1:9001"]'\` | \`upstreams.app.endpoints\` |
| \`FAIRLEAD_SERVICE=checkout\` | \`service\` |

A variable with \`__\` that fits no key is an error. One without \`__\` counts only when it names a top-level value,
since Kubernetes sets \`FAIRLEAD_PORT\` and the like for a Service called fairlead.
`;

/** The whole document. */
export function referenceMarkdown(): string {
  const lines: string[] = [INTRODUCTION];
  section(lines, { title: 'The file', schema: rootSchema(), path: '' }, new Set());
  return `${lines.join('\n')}${ENVIRONMENT}`;
}

interface Section {
  readonly title: string;
  readonly schema: SchemaNode;
  readonly path: string;
}

/**
 * A table of a map's keys, then a section for each key that is a map itself. What can hold itself, such as a rule made
 * of rules, is shown where it comes first.
 */
function section(lines: string[], { title, schema, path }: Section, shown: Set<SchemaNode>): void {
  if (shown.has(schema)) return;
  shown.add(schema);
  lines.push(`## ${title}`, '', '| key | type | default | meaning |', '|---|---|---|---|');
  const inner: Section[] = [];
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (key === '$schema') continue;
    const isRequired = schema.required?.includes(key) === true;
    const cells = [
      isRequired ? `**${key}**` : key,
      typeText(property),
      defaultText(property),
      cell(property.description ?? ''),
    ];
    lines.push(`| ${cells.join(' | ')} |`);
    inner.push(...nested(property, path === '' ? key : `${path}.${key}`));
  }
  lines.push('');
  for (const part of inner) section(lines, part, shown);
}

/** The maps inside a property: itself, its items, or its named entries. */
function nested(property: SchemaNode, path: string): Section[] {
  const found = new Map<string, Section>();
  for (const schema of alternatives(property)) {
    const inside: [SchemaNode, string][] = [[schema, path]];
    if (schema.items !== undefined)
      inside.push(...alternatives(schema.items).map((item): [SchemaNode, string] => [item, `${path}[]`]));
    if (typeof schema.additionalProperties === 'object') {
      inside.push(
        ...alternatives(schema.additionalProperties).map((entry): [SchemaNode, string] => [
          entry,
          `${path}.NAME`,
        ]),
      );
    }
    for (const [node, at] of inside) {
      if (node.properties === undefined) continue;
      const key = Object.keys(node.properties).join();
      if (!found.has(key)) found.set(key, { title: `\`${at}\``, schema: node, path: at });
    }
  }
  return [...found.values()];
}

function typeText(schema: SchemaNode): string {
  return [...new Set(alternatives(schema).map(oneType))].join(' or ');
}

function oneType(schema: SchemaNode): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.items !== undefined) return `list of ${typeText(schema.items)}`;
  if (typeof schema.additionalProperties === 'object')
    return `names to ${typeText(schema.additionalProperties)}`;
  if (schema.properties !== undefined) return 'map';
  if (schema.type === 'integer') return `whole number ${schema.minimum ?? ''} to ${schema.maximum ?? ''}`;
  if (schema.type === 'number') return 'number';
  if (schema.type === undefined && schema.pattern === undefined) return 'any value';
  return PATTERNS[schema.pattern ?? ''] ?? (schema.type === 'boolean' ? '`true`, `false`' : 'text');
}

const PATTERNS: Readonly<Record<string, string>> = {
  [DURATION_PATTERN]: 'duration',
  [SIZE_PATTERN]: 'size',
  [PERCENT_PATTERN]: 'share',
  [RATE_PATTERN]: 'rate',
  [`${PERCENT_PATTERN}|${SIZE_PATTERN}`]: 'share or size',
  [ADDRESS_PATTERN]: 'address',
  [`^off$|${ADDRESS_PATTERN}`]: 'address or `off`',
};

function defaultText(schema: SchemaNode): string {
  const value = schema.default;
  if (value === undefined || (typeof value === 'object' && value !== null)) return '';
  return `\`${String(value)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
