import { expect, it } from 'vitest';
import { issuesOf, snapshotOf } from '../../support/config.ts';

const INBOUND = '{ name: in, address: "127.0.0.1:1" }';
const OUTBOUND = '{ name: out, address: "127.0.0.1:2", direction: outbound, trust: { context: any } }';

function joinOf(listeners: string, propagation = '') {
  return snapshotOf(`
version: 1
${listeners === '' ? '' : `listeners: [${listeners}]`}
upstreams: { app: "127.0.0.1:8080" }
propagation: { ${propagation} }
`).propagation.join;
}

it('calls are joined where there are any: with an outbound listener, declared or not', () => {
  const standard = { entriesMax: 100_000, bytesMax: 32 * 1024 * 1024, ttlMs: 60_000 };
  expect(joinOf(`${INBOUND}, ${OUTBOUND}`)).toEqual(standard);
  expect(joinOf(INBOUND)).toBe(null);
  expect(joinOf('')).toBe(null);
  const outboundRoute = snapshotOf(`
version: 1
upstreams: { app: "127.0.0.1:8080" }
routes: [{ name: in, upstream: app }, { name: out, direction: outbound, upstream: app }]
`);
  expect(outboundRoute.propagation.join).toEqual(standard);
});

it('joining can be turned on and off by hand, and given its limits', () => {
  expect(joinOf(`${INBOUND}, ${OUTBOUND}`, 'join: off')).toBe(null);
  expect(joinOf(INBOUND, 'join: on, joinEntries: 500, joinBytes: 1MiB, joinTtl: 5m')).toEqual({
    entriesMax: 500,
    bytesMax: 1_048_576,
    ttlMs: 300_000,
  });
});

it('limits that make no sense are mistakes', () => {
  const issues = issuesOf(`
version: 1
upstreams: { app: "127.0.0.1:8080" }
propagation: { join: maybe, joinEntries: 3, joinBytes: 1KiB, joinTtl: 0 }
`);
  for (const key of ['join', 'joinEntries', 'joinBytes', 'joinTtl'])
    expect(issues.filter((issue) => issue.includes(`propagation.${key}:`))).toHaveLength(1);
});
