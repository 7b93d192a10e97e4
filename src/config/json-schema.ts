/**
 * Walking the generated JSON Schema: which keys and kinds of value are known at a path. Used for "did you mean"
 * and to read environment variables. Pure.
 */
import type { ConfigPath } from './issue.ts';
import { configJsonSchema } from './schema.ts';

export interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  /** `#/definitions/NAME`: what holds itself, such as a rule made of rules. */
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, SchemaNode>>;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly pattern?: string;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

let root: SchemaNode | null = null;

/** The schema of the whole file; made on first use. */
export function rootSchema(): SchemaNode {
  root ??= configJsonSchema() as SchemaNode;
  return root;
}

/** Every alternative of the schema at `path`; empty when the path cannot exist. */
export function schemasAt(path: ConfigPath): SchemaNode[] {
  let nodes = alternatives(rootSchema());
  for (const step of path) nodes = nodes.flatMap((node) => descend(node, step));
  return nodes;
}

/** The names a map at `path` may have, when they are fixed. */
export function knownKeysAt(path: ConfigPath): string[] {
  return schemasAt(path)
    .flatMap((node) => Object.keys(node.properties ?? {}))
    .filter((key) => key !== '$schema');
}

/** A node and, when it is a choice, each of its choices. */
export function alternatives(node: SchemaNode): SchemaNode[] {
  if (node.$ref !== undefined) {
    const target = rootSchema().definitions?.[node.$ref.slice('#/definitions/'.length)];
    return target === undefined ? [] : alternatives(target);
  }
  const choices = node.anyOf ?? node.oneOf;
  return choices === undefined ? [node] : choices.flatMap((inner) => alternatives(inner));
}

function descend(node: SchemaNode, step: string | number): SchemaNode[] {
  if (typeof step === 'number') return node.items === undefined ? [] : alternatives(node.items);
  if (node.properties !== undefined && Object.hasOwn(node.properties, step)) {
    const property = node.properties[step];
    return property === undefined ? [] : alternatives(property);
  }
  return typeof node.additionalProperties === 'object' ? alternatives(node.additionalProperties) : [];
}
