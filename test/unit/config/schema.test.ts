/** What is generated from the schema is committed and current, and every example is valid by both. */
import { readdirSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatIssue } from '../../../src/config/issue.ts';
import { parseConfig } from '../../../src/config/parse.ts';
import { referenceMarkdown } from '../../../src/config/reference.ts';
import { configJsonSchema } from '../../../src/config/schema.ts';
import { minimal, withExperiment, withoutMetadata } from '../../support/config.ts';

const validateJson = new Ajv({
  strict: true,
  strictTypes: false,
  strictRequired: false,
  allErrors: true,
  allowUnionTypes: true,
}).compile(configJsonSchema());

/** What ajv says about a YAML text, as paths. */
function jsonSchemaErrors(text: string): string[] {
  return validateJson(parse(text, { merge: true }))
    ? []
    : (validateJson.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

function examples(): [name: string, text: string][] {
  const files = readdirSync('config').filter((name) => name.endsWith('.yaml'));
  const guide = readFileSync('docs/configuration.md', 'utf8');
  const blocks = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
  return [
    ...files.map((name): [string, string] => [`config/${name}`, readFileSync(`config/${name}`, 'utf8')]),
    ...blocks.map((text, index): [string, string] => [`docs/configuration.md, example ${index + 1}`, text]),
  ];
}

describe('what is generated', () => {
  test('config/fairlead.schema.json is what `fairlead schema` prints', () => {
    expect(JSON.parse(readFileSync('config/fairlead.schema.json', 'utf8'))).toEqual(configJsonSchema());
  });

  test('config/reference.md is what `fairlead schema --output markdown` prints', () => {
    expect(readFileSync('config/reference.md', 'utf8')).toBe(referenceMarkdown());
  });

  test('every key has a description', () => {
    const undescribed: string[] = [];
    collect(configJsonSchema(), '', undescribed);
    for (const [name, definition] of Object.entries(configJsonSchema().definitions ?? {}))
      collect(definition as Described, name, undescribed);
    expect(undescribed).toEqual([]);
  });
});

interface Described {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly items?: Described;
  readonly additionalProperties?: boolean | Described;
  readonly anyOf?: readonly Described[];
}

function collect(schema: Described, path: string, undescribed: string[]): void {
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (property.description === undefined) undescribed.push(`${path}.${key}`);
    collect(property, `${path}.${key}`, undescribed);
  }
  for (const inner of schema.anyOf ?? []) collect(inner, path, undescribed);
  if (schema.items !== undefined) collect(schema.items, `${path}[]`, undescribed);
  if (typeof schema.additionalProperties === 'object')
    collect(schema.additionalProperties, `${path}.*`, undescribed);
}

describe('examples', () => {
  test('there are some to check', () => {
    expect(examples().length).toBeGreaterThan(8);
  });

  test.each(examples())('%s is valid, without a warning', (_name, text) => {
    expect(withoutMetadata(parseConfig(text, 'example').issues).map(formatIssue)).toEqual([]);
    expect(jsonSchemaErrors(text)).toEqual([]);
  });
});

describe('editors', () => {
  test.each([
    ['an unknown key', minimal('timeoutz: {}')],
    ['a duration without unit', minimal('timeouts: { idle: 10 }')],
    ['an unknown unit', minimal('timeouts: { idle: 10sec }')],
    ['a share without %', withExperiment('traffic: 50')],
    ['an address without port', minimal('listeners: [{ name: a, address: localhost }]')],
    ['a missing version', 'upstreams: { a: "b:1" }\n'],
  ])('%s is a mistake by the JSON Schema alone', (_name, text) => {
    expect(jsonSchemaErrors(text)).not.toEqual([]);
  });

  test('keys that begin with x- are left to the author', () => {
    const text =
      'version: 1\nx-shared: &s { errorRate: 5% }\nupstreams: { a: "b:1" }\nexperiments: { e: { variants: { control: {}, c: { weight: 1% } }, breaker: { <<: *s, window: 2s } } }\n';
    expect(jsonSchemaErrors(text)).toEqual([]);
    const { config } = parseConfig(text, 'f');
    expect(config?.experiments.e?.breaker).toMatchObject({ errorRate: 50_000, window: 2000 });
  });

  test('JSON is YAML', () => {
    expect(parseConfig('{"version": 1, "upstreams": {"a": "b:1"}}', 'f').issues).toEqual([]);
  });
});
