/** Health checks, synthetic traffic and bots over real sockets: what they get, and what is on record of them. */
import { describe, expect, it } from 'vitest';
import { answer, get, ok, useRig } from '../support/rig.ts';

const rig = useRig();

/** Every request is a unit of its own, so that nothing but its class can keep it out; all are to get the candidate. */
async function world(classify: object, experiment: object = {}) {
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const plane = await rig.plane([upstream.endpoint], {
    routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'] }],
    experiments: {
      ranking: {
        unit: 'request',
        variants: { control: { weight: '0%' }, candidate: { weight: '100%' } },
        ...experiment,
      },
    },
    classify,
  });
  const client = rig.client(plane.port);
  const ask = async (fields: string, path = '/'): Promise<string> => {
    client.send(get(path, `x-experiment-explain: 1\r\n${fields}`));
    const { fields: got } = await answer(client);
    const of = (wanted: string) => got.find(([name]) => name.toLowerCase() === wanted)?.[1];
    return `${of('x-fairlead-variant')} ${of('x-experiment-reason')!.replace(/split:.*/, 'split')}`;
  };
  return { plane, upstream, ask };
}

const BROWSER = 'user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n';

describe('what is nobody’s request', () => {
  it('is the health check of a kubelet by default, and not a bot', async () => {
    const { ask } = await world({});
    expect(await ask('user-agent: kube-probe/1.31\r\n')).toBe(
      'ranking=control ranking=excluded:health-check',
    );
    expect(await ask('user-agent: Googlebot/2.1\r\n')).toBe('ranking=candidate ranking=split');
    expect(await ask(BROWSER)).toBe('ranking=candidate ranking=split');
    expect(await ask('')).toBe('ranking=candidate ranking=split');
    expect(await ask('user-agent:\r\n')).toBe('ranking=candidate ranking=split');
  });

  it('is nothing when all of it is turned off', async () => {
    const { ask } = await world({ healthChecks: { known: false } });
    expect(await ask('user-agent: kube-probe/1.31\r\n')).toBe('ranking=candidate ranking=split');
  });

  it('is what the configuration says: paths, patterns, a header', async () => {
    const { ask } = await world({
      healthChecks: { paths: ['/healthz', '/live/*'], userAgents: ['acme-check'] },
      bots: { known: true, userAgents: ['acme-(scan|crawl)'] },
      synthetic: { header: 'X-Synthetic' },
    });
    expect(await ask(BROWSER, '/healthz?deep=1')).toBe('ranking=control ranking=excluded:health-check');
    expect(await ask(BROWSER, '/live/db')).toBe('ranking=control ranking=excluded:health-check');
    expect(await ask('user-agent: acme-check\r\n')).toBe('ranking=control ranking=excluded:health-check');
    expect(await ask('user-agent: The ACME-scan\r\n')).toBe('ranking=control ranking=excluded:bot');
    expect(await ask('user-agent: bingbot/2.0\r\n')).toBe('ranking=control ranking=excluded:bot');
    expect(await ask(`${BROWSER}x-synthetic: 0\r\n`)).toBe('ranking=control ranking=excluded:synthetic');
    expect(await ask(BROWSER)).toBe('ranking=candidate ranking=split');
  });
});

describe('excluded requests', () => {
  it('are in no exposure and no series of the experiment, carry nothing on, and are counted once', async () => {
    const { plane, upstream, ask } = await world({ bots: { known: true } });
    await ask('user-agent: Googlebot/2.1\r\n');
    await ask(BROWSER);
    expect(upstream.requests[0]!.fields.map(([name]) => name)).not.toContain('x-experiment');
    expect(plane.exposures.map(({ reason }) => reason)).toEqual(['split']);
    expect(plane.access.map(({ experiments }) => experiments[0]!.reason)).toEqual(['excluded:bot', 'split']);
    const page = await plane.plane.metrics.render();
    expect(page).toContain('fairlead_excluded_total{class="bot"} 1\n');
    expect(page).toMatch(/fairlead_assignments_total\{[^}]*variant="control",reason="excluded"\} 1\n/);
    expect(page).toMatch(
      /fairlead_requests_total\{code_class="2xx",outcome="ok",[^}]*experiment="",variant=""\} 1\n/,
    );
    expect(page).toMatch(
      /fairlead_requests_total\{code_class="2xx",outcome="ok",[^}]*variant="candidate"\} 1\n/,
    );
  });

  it('get the variant that is named for them', async () => {
    const { ask } = await world({}, { fallback: 'control', excludedVariant: 'candidate' });
    expect(await ask('user-agent: GoogleHC/1.0\r\n')).toBe('ranking=candidate ranking=excluded:health-check');
  });

  it('still do what a tester says, and what the caller carries, and are then not counted', async () => {
    const { plane, ask } = await world({ synthetic: { header: 'x-synthetic' } });
    const synthetic = 'x-synthetic: 1\r\n';
    expect(await ask(`${synthetic}x-experiment-override: ranking=candidate\r\n`)).toBe(
      'ranking=candidate ranking=override',
    );
    expect(await ask(`${synthetic}x-experiment: ranking=candidate\r\n`)).toBe(
      'ranking=candidate ranking=propagated',
    );
    expect(await plane.plane.metrics.render()).not.toContain('fairlead_excluded_total{');
  });

  it('do not bring back an experiment that is killed', async () => {
    const { ask } = await world({}, { status: 'killed', excludedVariant: 'candidate' });
    expect(await ask('user-agent: kube-probe/1.31\r\n')).toBe('ranking=control ranking=killed');
  });
});
