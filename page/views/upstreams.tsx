/** Where requests go, and why an endpoint gets none. */
import { endpointAction } from '../data/actions.ts';
import { useResource } from '../data/resource.ts';
import { stats, upstreams } from '../data/store.ts';
import type { Endpoint, Upstream } from '../data/types.ts';
import { count, millis, rate, share } from '../format.ts';
import { Badge } from '../ui/badge.tsx';
import { ActionButton } from '../ui/confirm.tsx';
import { Empty, Loaded, Panel, Scroll } from '../ui/panel.tsx';
import type { Tone } from '../ui/tones.ts';

const UPSTREAMS_MS = 3000;

export function UpstreamsPage() {
  useResource(upstreams, UPSTREAMS_MS);
  return (
    <>
      <h1>Upstreams</h1>
      <Loaded resource={upstreams} missing="This sidecar says nothing of its upstreams.">
        {(data) => (
          <div class="stack">
            {data.upstreams.length === 0 && <Empty>No upstream is in the config.</Empty>}
            {data.upstreams.map((upstream) => (
              <One key={upstream.name} upstream={upstream} />
            ))}
          </div>
        )}
      </Loaded>
      <Routes />
    </>
  );
}

function One({ upstream }: { readonly upstream: Upstream }) {
  const { name, endpoints } = upstream;
  const used = endpoints.filter((one) => one.isUsed).length;
  return (
    <Panel
      title={name}
      aside={
        <Badge tone={used === 0 ? 'bad' : used < endpoints.length ? 'warn' : 'ok'}>
          {used} of {endpoints.length} get requests
        </Badge>
      }
    >
      <Scroll label={`Endpoints of ${name}`}>
        <table class="grid endpoints">
          <thead>
            <tr>
              <th scope="col">Endpoint</th>
              <th scope="col">State</th>
              <th scope="col" class="number">
                Under way
              </th>
              <th scope="col" class="number">
                Idle
              </th>
              <th scope="col" class="number">
                Waiting
              </th>
              <th scope="col" class="number">
                Requests
              </th>
              <th scope="col" class="number">
                Not connected
              </th>
              <th scope="col">
                <span class="visually-hidden">What may be done</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {endpoints.map((endpoint) => (
              <tr key={endpoint.id}>
                <th scope="row">
                  <code>{endpoint.id}</code>
                </th>
                <td>
                  <Badge tone={toneOf(endpoint)}>{endpoint.state}</Badge>
                  {endpoint.reason !== '' && <span class="row-note is-wrapped">{endpoint.reason}</span>}
                </td>
                <td class="number">{count(endpoint.active)}</td>
                <td class="number">{count(endpoint.idle)}</td>
                <td class="number">{count(endpoint.pending)}</td>
                <td class="number">{count(endpoint.requests)}</td>
                <td class="number">{count(endpoint.connectFailures)}</td>
                <td class="row-action">
                  <ActionButton action={endpointAction(name, endpoint.id, endpoint.state === 'draining')} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}

function Routes() {
  const routes = stats.value?.routes ?? [];
  if (routes.length === 0) return null;
  return (
    <Panel title="Routes">
      <Scroll label="Routes">
        <table class="grid">
          <thead>
            <tr>
              <th scope="col">Route</th>
              <th scope="col" class="number">
                Traffic
              </th>
              <th scope="col" class="number">
                Errors
              </th>
              <th scope="col" class="number">
                Median
              </th>
              <th scope="col" class="number">
                p99
              </th>
            </tr>
          </thead>
          <tbody>
            {routes.map((route) => (
              <tr key={route.name}>
                <th scope="row">{route.name}</th>
                <td class="number">{rate(route.requestsPerSecond)}</td>
                <td class="number">{share(route.errorShare)}</td>
                <td class="number">{millis(route.p50Ms)}</td>
                <td class="number">{millis(route.p99Ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}

function toneOf({ state, isUsed }: Endpoint): Tone {
  if (state === 'ok') return 'ok';
  if (state === 'draining') return 'idle';
  return isUsed ? 'warn' : 'bad';
}
