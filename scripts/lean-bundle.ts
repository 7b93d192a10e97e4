/**
 * What makes the bundle lighter to start and to keep in memory than its sources. docs/decisions/0030-lean-start.md has the
 * numbers. Nothing here changes what the program does.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';

const PREFIX = '\0builtin:';
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
const MISSING = join(import.meta.dirname, 'left-out.cjs');

/** What a module of a package loads only for what is never asked of it here: whose, and which. */
const LEFT_OUT: readonly { readonly importer: string; readonly ids: readonly string[] }[] = [
  // No route has a JSON schema, and admin/server.ts says so to it.
  {
    importer: '/fastify/lib/schema-controller.js',
    ids: ['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler'],
  },
  // Its `inject`, for tests.
  { importer: '/fastify/fastify.js', ids: ['light-my-request'] },
  // The admin API is plain HTTP/1.1; the two are 4 MB.
  { importer: '/fastify/lib/server.js', ids: ['node:https', 'node:http2'] },
  // telemetry/process-metrics.ts names the collectors that it wants.
  {
    importer: '/@prometheus-io/client/index.js',
    ids: ['./lib/pushgateway', './lib/defaultMetrics', './lib/cluster', './lib/worker'],
  },
  // For exemplars, which that metric does not have.
  { importer: '/@prometheus-io/client/lib/metrics/processCpuTotal.js', ids: ['@opentelemetry/api'] },
];

/** As much of a rolldown plugin as there is here. */
interface Plugin {
  readonly name: string;
  resolveId(id: string, importer: string | undefined, extra: { readonly kind: string }): string | null;
  load(id: string): string | null;
}

/**
 * Leaves out what is in that list. And Node's own modules are asked for without `import`, which makes a namespace of all
 * that a module has and so reads every property of it: `node:http` loads undici for its `WebSocket`, `node:tls` every root
 * certificate, `node:crypto` WebCrypto.
 */
export function leanBundle(): Plugin {
  return {
    name: 'lean-bundle',
    resolveId: (id, importer = '', { kind }) => {
      if (LEFT_OUT.some((one) => importer.endsWith(one.importer) && one.ids.includes(id))) return MISSING;
      return kind === 'import-statement' && id.startsWith('node:') && isBuiltin(id) ? PREFIX + id : null;
    },
    load: (id) => (id.startsWith(PREFIX) ? sourceOf(id.slice(PREFIX.length)) : null),
  };
}

/** Marked as pure, so that what nobody imports is dropped, and not read. */
function sourceOf(id: string): string {
  const builtin = process.getBuiltinModule(id) as object;
  const names = Object.keys(builtin).filter((name) => name !== 'default' && IDENTIFIER.test(name));
  return [
    `const builtin = process.getBuiltinModule('${id}');`,
    'export default builtin;',
    'const read = (name) => builtin[name];',
    ...names.map((name, at) => `const n${at} = /* @__PURE__ */ read('${name}');`),
    `export { ${names.map((name, at) => `n${at} as ${name}`).join(', ')} };`,
  ].join('\n');
}

/** One character beyond Latin-1, a bullet in a message, and V8 keeps the whole file with two bytes a character. */
export function inAscii(file: string): void {
  const source = readFileSync(file, 'utf8');
  const ascii = source.replace(
    // Also in a regular expression: two escaped surrogates are one character there too.
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  if (ascii !== source) writeFileSync(file, ascii);
}
