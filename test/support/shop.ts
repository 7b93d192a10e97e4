/** Files for tests of `fairlead plan`. */

export const HEAD = `
version: 1
requireMetadata: false
upstreams: { v1: "127.0.0.1:9001", v2: "127.0.0.1:9002", v3: "127.0.0.1:9003" }
`;

/** A shop with these experiments, all on its one route. */
export function shop(...experiments: string[]): string {
  const names = experiments.map((text) => text.slice(0, text.indexOf(':')));
  return `${HEAD}routes: [{ name: all, upstream: v1, experiments: [${names.join(', ')}] }]
layers: { ui: {} }
experiments:
${experiments.map((text) => `  ${text}\n`).join('')}`;
}

export const RANKING = 'ranking: { variants: { control: {}, candidate: { weight: 10%, upstream: v2 } } }';
