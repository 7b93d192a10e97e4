/**
 * The rules of src/README.md as a function over files: paths and texts in, violations out. Knows nothing of a
 * disk, so that the test can plant a violation of every rule. The files are parsed, not searched with patterns.
 */
import { posix } from 'node:path';
import { parseAst } from 'rolldown/parseAst';

export type Rule = 'imports' | 'purity' | 'cycle' | 'size' | 'framing' | 'errors';

export interface Violation {
  readonly rule: Rule;
  readonly file: string;
  readonly message: string;
}

/** Texts by path from the project root, with forward slashes. */
export type FileSet = ReadonlyMap<string, string>;

export const LINES_MAX = 400;

const SERVER_ALL = [
  'base',
  'http1',
  'experiment',
  'propagation',
  'identity',
  'resilience',
  'analysis',
  'routing',
  'config',
];

/** Who may import whom; a folder may always import itself. A folder that is not here may not exist. */
export const ALLOWED_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  http1: ['base'],
  experiment: ['base'],
  propagation: ['base'],
  identity: ['base'],
  resilience: ['base'],
  analysis: ['base'],
  routing: ['base', 'http1', 'experiment', 'resilience'],
  config: ['base', 'experiment', 'propagation', 'identity', 'resilience', 'analysis', 'routing'],
  telemetry: ['base', 'experiment', 'propagation', 'analysis'],
  proxy: [...SERVER_ALL, 'telemetry'],
  control: ['base', 'resilience', 'analysis', 'config', 'telemetry'],
  workers: ['base', 'resilience', 'config', 'telemetry'],
  admin: ['base', 'experiment', 'propagation', 'analysis', 'config', 'telemetry', 'control'],
  fleet: ['base', 'analysis', 'config', 'control'],
  cli: [...SERVER_ALL, 'telemetry', 'proxy', 'control', 'workers', 'admin', 'fleet'],
  'main.ts': [...SERVER_ALL, 'telemetry', 'proxy', 'control', 'workers', 'admin', 'fleet', 'cli'],
  dashboard: [],
};

const PURE_FOLDERS = new Set(SERVER_ALL);
/** The one file of the pure folders that reads time and entropy. */
const CLOCK_FILE = 'src/base/clock.ts';
/** Libraries that are pure in the same sense, by the folder that may use them. */
const PURE_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  experiment: ['murmurhash3js-revisited', 're2js', 'cookie', 'semver/classes/range.js'],
  resilience: ['opossum'],
  routing: ['cookie', 're2js'],
  analysis: ['jsondiffpatch'],
  config: ['zod', 'yaml', 're2js'],
};
/** Pure helpers of node: by module; '*' is all of it. */
const PURE_BUILTINS: Readonly<Record<string, readonly string[]>> = {
  'node:buffer': ['*'],
  'node:net': ['BlockList', 'isIP', 'isIPv4', 'isIPv6'],
};
const CONFIG_BUILTINS: Readonly<Record<string, readonly string[]>> = {
  ...PURE_BUILTINS,
  'node:crypto': ['createHash', 'createHmac', 'hash'],
};
/** Of signing what needs no entropy: HMAC and Ed25519 give the same signature for the same text and key. */
const PROPAGATION_BUILTINS: Readonly<Record<string, readonly string[]>> = {
  ...PURE_BUILTINS,
  'node:crypto': [
    'createHmac',
    'createPrivateKey',
    'createPublicKey',
    'createSecretKey',
    'sign',
    'timingSafeEqual',
    'verify',
  ],
};
/** Verifying needs no entropy either. */
const IDENTITY_BUILTINS: Readonly<Record<string, readonly string[]>> = {
  ...PURE_BUILTINS,
  'node:crypto': ['createHmac', 'createPublicKey', 'createSecretKey', 'timingSafeEqual', 'verify'],
};
/** The hashes by which other systems assign. */
const EXPERIMENT_BUILTINS: Readonly<Record<string, readonly string[]>> = {
  ...PURE_BUILTINS,
  'node:crypto': ['hash'],
};
const BUILTINS_BY_FOLDER: Readonly<Record<string, typeof PURE_BUILTINS>> = {
  experiment: EXPERIMENT_BUILTINS,
  config: CONFIG_BUILTINS,
  propagation: PROPAGATION_BUILTINS,
  identity: IDENTITY_BUILTINS,
};
const IMPURE_GLOBALS = new Set([
  'process',
  'performance',
  'console',
  'fetch',
  'crypto',
  'globalThis',
  'require',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'queueMicrotask',
]);

const FRAMING_READER = 'src/http1/framing.ts';
const FRAMING_WRITER = 'src/http1/encode.ts';
const FRAMING_NAMES = 'src/http1/field.ts';
/** Leaves whole field lines out by their id, in a `case`, without reading what they say. */
const FRAMING_CUTTER = 'src/routing/forward.ts';
const FRAMING_TEXT = /content-length|transfer-encoding/i;
const FRAMING_FIELD_LINE = /(content-length|transfer-encoding)\s*:/i;
const FRAMING_IDS = new Set(['contentLength', 'transferEncoding']);

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

interface Import {
  readonly source: string;
  readonly isTypeOnly: boolean;
  /** Imported names; '*' for a namespace, a default, a re-export of all or a dynamic import. */
  readonly names: readonly string[];
}

/** Every violation in the file set: TypeScript under src/ against all rules, elsewhere only against the size. */
export function checkArchitecture(files: FileSet): Violation[] {
  const violations: Violation[] = [];
  const graph = new Map<string, readonly string[]>();
  for (const [file, text] of files) {
    if (!/\.(ts|tsx)$/.test(file)) continue;
    violations.push(...checkSize(file, text));
    if (!file.startsWith('src/')) continue;
    const program = parseAst(text, { lang: file.endsWith('x') ? 'tsx' : 'ts' }) as unknown as Node;
    const imports = collectImports(program);
    graph.set(
      file,
      imports
        .filter((one) => one.source.startsWith('.') && !one.isTypeOnly)
        .map((one) => resolve(file, one.source)),
    );
    violations.push(...checkImports(file, imports));
    violations.push(...checkPurity(file, program, imports));
    violations.push(...checkFraming(file, program));
  }
  violations.push(...checkCycles(graph));
  return violations;
}

function checkSize(file: string, text: string): Violation[] {
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lines <= LINES_MAX) return [];
  return [{ rule: 'size', file, message: `${lines} lines, the limit is ${LINES_MAX}` }];
}

function folderOf(file: string): string {
  return file.split('/')[1] ?? '';
}

function resolve(file: string, source: string): string {
  return posix.normalize(posix.join(posix.dirname(file), source));
}

function checkImports(file: string, imports: readonly Import[]): Violation[] {
  const from = folderOf(file);
  const allowed = ALLOWED_IMPORTS[from];
  if (allowed === undefined)
    return [{ rule: 'imports', file, message: `src/${from} has no place in the ranks` }];
  const violations: Violation[] = [];
  for (const { source } of imports) {
    if (!source.startsWith('.')) continue;
    const target = resolve(file, source);
    const isPackageJson = target === 'package.json' && from === 'cli';
    if (isPackageJson) continue;
    if (!target.startsWith('src/')) {
      violations.push({ rule: 'imports', file, message: `imports ${target}, which is outside src/` });
      continue;
    }
    const to = folderOf(target);
    if (to !== from && !allowed.includes(to)) {
      violations.push({ rule: 'imports', file, message: `${from} may not import ${to} (${source})` });
    }
    if (!/\.(ts|tsx|json)$/.test(source)) {
      violations.push({ rule: 'imports', file, message: `${source} needs its extension` });
    }
  }
  return violations;
}

function checkPurity(file: string, program: Node, imports: readonly Import[]): Violation[] {
  const folder = folderOf(file);
  if (!PURE_FOLDERS.has(folder) || file === CLOCK_FILE) return [];
  const found = new Set<string>();
  for (const one of imports) {
    if (one.isTypeOnly || one.source.startsWith('.')) continue;
    if (!isPureImport(folder, one)) found.add(`imports ${one.names.join(', ')} from ${one.source}`);
  }
  walk(program, isTypeNode, (node, parent, key) => {
    const name = impureUse(node, parent, key);
    if (name !== null) found.add(`uses ${name}`);
  });
  return [...found].map((what) => ({ rule: 'purity', file, message: `${folder} is pure, and this ${what}` }));
}

function isPureImport(folder: string, one: Import): boolean {
  const builtins = BUILTINS_BY_FOLDER[folder] ?? PURE_BUILTINS;
  const names = builtins[one.source];
  if (names !== undefined) return names.includes('*') || one.names.every((name) => names.includes(name));
  return (PURE_PACKAGES[folder] ?? []).includes(one.source);
}

function impureUse(node: Node, parent: Node | null, key: string): string | null {
  if (node.type === 'ImportExpression') return 'a dynamic import';
  if (node.type === 'MetaProperty') return 'import.meta';
  if (node.type === 'MemberExpression') {
    const text = `${identifier(node.object)}.${identifier(node.property)}`;
    return text === 'Date.now' || text === 'Math.random' ? text : null;
  }
  if (node.type === 'NewExpression' && identifier(node.callee) === 'Date') {
    return (node.arguments as unknown[]).length === 0 ? 'new Date()' : null;
  }
  if (node.type !== 'Identifier' || !IMPURE_GLOBALS.has(String(node.name))) return null;
  const isName = (key === 'property' || key === 'key') && parent?.computed !== true;
  return isName ? null : String(node.name);
}

function identifier(value: unknown): string {
  const node = value as Node | null;
  return node?.type === 'Identifier' ? String(node.name) : '';
}

function checkFraming(file: string, program: Node): Violation[] {
  if (file === FRAMING_NAMES) return [];
  const found = new Set<string>();
  walk(
    program,
    () => false,
    (node, parent, key) => {
      const text = literalText(node);
      if (text !== null && FRAMING_TEXT.test(text)) {
        if (file !== FRAMING_READER && file !== FRAMING_WRITER)
          found.add(`names a framing field: ${text.trim()}`);
        if (file === FRAMING_READER && FRAMING_FIELD_LINE.test(text)) found.add('writes a framing field');
      }
      if (node.type !== 'MemberExpression' || !FRAMING_IDS.has(identifier(node.property))) return;
      const isCut = file === FRAMING_CUTTER && parent?.type === 'SwitchCase' && key === 'test';
      if (file !== FRAMING_READER && !isCut) found.add(`reads Field.${identifier(node.property)}`);
    },
  );
  return [...found].map((what) => ({
    rule: 'framing',
    file,
    message: `${what}; only ${FRAMING_READER} reads them and only ${FRAMING_WRITER} writes them`,
  }));
}

function literalText(node: Node): string | null {
  if (node.type === 'Literal') {
    const regex = node.regex as { pattern: string } | undefined;
    if (regex) return regex.pattern;
    return typeof node.value === 'string' ? node.value : null;
  }
  if (node.type === 'TemplateElement') return (node.value as { raw: string }).raw;
  return null;
}

/**
 * Cycles of what is loaded: objects of one folder that hold each other name each other's types, and that is no
 * cycle. Between folders the ranks forbid even that.
 */
function checkCycles(graph: ReadonlyMap<string, readonly string[]>): Violation[] {
  const state = new Map<string, 'open' | 'done'>();
  const violations: Violation[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      const cycle = [...path.slice(path.indexOf(file)), file];
      violations.push({ rule: 'cycle', file, message: cycle.join(' -> ') });
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  return violations;
}

function collectImports(program: Node): Import[] {
  const imports: Import[] = [];
  walk(
    program,
    () => false,
    (node) => {
      const source = (node.source as { value?: unknown } | null | undefined)?.value;
      if (typeof source !== 'string') return;
      if (!/^(Import|Export|TSImportType)/.test(node.type)) return;
      const specifiers = (node.specifiers as Node[] | undefined) ?? [];
      const isTypeOnly =
        node.importKind === 'type' ||
        node.exportKind === 'type' ||
        node.type === 'TSImportType' ||
        (specifiers.length > 0 && specifiers.every((one) => one.importKind === 'type'));
      const names = specifiers
        .filter((one) => one.importKind !== 'type')
        .map((one) => identifier(one.imported ?? one.local) || '*')
        .map((name, index) => (specifiers[index]?.type === 'ImportSpecifier' ? name : '*'));
      imports.push({ source, isTypeOnly, names: names.length > 0 ? names : ['*'] });
    },
  );
  return imports;
}

function isTypeNode(node: Node): boolean {
  return /^TS(TypeAnnotation|InterfaceDeclaration|TypeAliasDeclaration|TypeParameter|ModuleDeclaration|TypeReference)/.test(
    node.type,
  );
}

function walk(
  node: Node,
  isSkipped: (node: Node) => boolean,
  visit: (node: Node, parent: Node | null, key: string) => void,
  parent: Node | null = null,
  key = '',
): void {
  if (isSkipped(node)) return;
  visit(node, parent, key);
  for (const [childKey, child] of Object.entries(node)) {
    for (const one of Array.isArray(child) ? child : [child]) {
      if (one !== null && typeof one === 'object' && typeof (one as Node).type === 'string') {
        walk(one as Node, isSkipped, visit, node, childKey);
      }
    }
  }
}

export interface DocumentedKind {
  readonly status: number;
  readonly side: string;
  readonly retry: string;
}

/** The error table against docs/errors.md: each code has one `### code` section that begins with its facts. */
export function checkErrorDocs(
  table: Readonly<Record<string, DocumentedKind>>,
  markdown: string,
): Violation[] {
  const file = 'docs/errors.md';
  const sections = new Map<string, string>();
  const violations: Violation[] = [];
  for (const section of markdown.split(/^### /m).slice(1)) {
    const code = section.slice(0, section.indexOf('\n')).trim();
    if (sections.has(code)) violations.push({ rule: 'errors', file, message: `${code} is documented twice` });
    sections.set(code, section.slice(code.length).trim());
  }
  for (const [code, kind] of Object.entries(table)) {
    const facts = `${kind.status} · ${kind.side} · retry ${kind.retry}`;
    const text = sections.get(code);
    if (text === undefined) violations.push({ rule: 'errors', file, message: `${code} is not documented` });
    else if (!text.startsWith(facts))
      violations.push({ rule: 'errors', file, message: `${code} must begin with "${facts}"` });
    else if (text.length < facts.length + 40)
      violations.push({ rule: 'errors', file, message: `${code} says too little` });
  }
  for (const code of sections.keys()) {
    if (!(code in table)) violations.push({ rule: 'errors', file, message: `${code} is no error code` });
  }
  return violations;
}
