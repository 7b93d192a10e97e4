/** The rules in force, how they came to be, and what is declared. */
import { reloadAction } from '../data/actions.ts';
import { useResource } from '../data/resource.ts';
import { config, configHistory } from '../data/store.ts';
import type { ConfigChange, ConfigView } from '../data/types.ts';
import { sentence } from '../format.ts';
import { experimentHref } from '../router.ts';
import { Badge } from '../ui/badge.tsx';
import { ActionButton } from '../ui/confirm.tsx';
import { Empty, Loaded, Panel } from '../ui/panel.tsx';
import { At } from '../ui/time.tsx';

const CONFIG_MS = 10_000;

export function ConfigPage() {
  useResource(config, CONFIG_MS);
  useResource(configHistory, CONFIG_MS);
  return (
    <>
      <header class="page-head">
        <h1>Config</h1>
        <div class="actions">
          <ActionButton action={reloadAction} />
        </div>
      </header>
      <Loaded resource={config} missing="This sidecar does not show its config.">
        {(data) => (
          <div class="columns">
            <div class="column-main">
              <HistoryPanel />
              <Declared view={data} />
            </div>
            <div class="column-side">
              <InForce view={data} />
              <AtRunTime view={data} />
            </div>
          </div>
        )}
      </Loaded>
    </>
  );
}

function HistoryPanel() {
  return (
    <Panel title="Changes of the rules">
      <Loaded resource={configHistory} missing="This sidecar keeps no history of its rules.">
        {(data) =>
          data.history.length === 0 ? (
            <Empty>Nothing has changed since the start.</Empty>
          ) : (
            <ol class="timeline">
              {data.history.map((one) => (
                <Change key={`${one.version} ${one.at}`} change={one} />
              ))}
            </ol>
          )
        }
      </Loaded>
    </Panel>
  );
}

function Change({ change }: { readonly change: ConfigChange }) {
  const { version, hash, at, by, reason, changes } = change;
  return (
    <li class="tone-edge-info">
      <At at={at} /> <b>version {version}</b> by {by} <code>{hash}</code>
      {reason !== '' && <p>{sentence(reason)}</p>}
      {changes.length > 0 && (
        <ul class="changes">
          {changes.map((one) => (
            <li key={one}>{sentence(one)}</li>
          ))}
        </ul>
      )}
    </li>
  );
}

function InForce({ view }: { readonly view: ConfigView }) {
  const { file, version, hash, lastReload } = view;
  return (
    <Panel
      title="In force"
      aside={
        <Badge tone={lastReload.ok ? 'ok' : 'bad'}>{lastReload.ok ? 'valid' : 'last reload refused'}</Badge>
      }
    >
      <dl class="facts">
        <div>
          <dt>file</dt>
          <dd>
            <code>{file}</code>
          </dd>
        </div>
        <div>
          <dt>version</dt>
          <dd class="number">
            {version} <code>{hash}</code>
          </dd>
        </div>
        <div>
          <dt>last read</dt>
          <dd>
            <At at={lastReload.at} />, by {lastReload.cause}
          </dd>
        </div>
      </dl>
      {lastReload.issues.length > 0 && (
        <ul class="changes">
          {lastReload.issues.map((issue) => (
            <li key={JSON.stringify(issue)}>{sentenceOf(issue)}</li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function AtRunTime({ view }: { readonly view: ConfigView }) {
  const experiments = Object.entries(view.effective.experiments);
  return (
    <Panel title="Experiments as they hold">
      {experiments.length === 0 && <Empty>There are none.</Empty>}
      <ul class="checks">
        {experiments.map(([name, { status, weights }]) => (
          <li key={name}>
            <div class="line">
              <a href={experimentHref(name)}>{name}</a> <span>{status}</span>
              {view.runtime[name] !== undefined && <Badge tone="info">changed at run time</Badge>}
            </div>
            <p class="muted number">
              {Object.entries(weights)
                .map(([variant, weight]) => `${variant} ${weight}`)
                .join(', ')}
            </p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Declared({ view }: { readonly view: ConfigView }) {
  return (
    <Panel title="Declared" aside={<span class="muted">with its defaults, secrets left out</span>}>
      <div class="declared">
        {Object.entries(view.declared).map(([key, value]) =>
          typeof value === 'object' && value !== null ? (
            <details key={key}>
              <summary>
                <code>{key}</code> <span class="muted">{sizeOf(value)}</span>
              </summary>
              <pre>{JSON.stringify(value, null, 2)}</pre>
            </details>
          ) : (
            <p key={key} class="declared-line">
              <code>{key}</code> <code class="muted">{JSON.stringify(value)}</code>
            </p>
          ),
        )}
      </div>
    </Panel>
  );
}

function sizeOf(value: object): string {
  const size = Object.keys(value).length;
  return size === 0 ? 'empty' : `${size}`;
}

function sentenceOf(issue: unknown): string {
  const { message, path } = issue as { readonly message?: string; readonly path?: unknown };
  return (
    [Array.isArray(path) ? path.join('.') : path, message].filter(Boolean).join(': ') || JSON.stringify(issue)
  );
}
