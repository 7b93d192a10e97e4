/** The frame of the page: where one can go, how fresh it is, and the view in the middle. */
import { useEffect, useRef } from 'preact/hooks';
import { now } from './clock.ts';
import { approvals, config, events, experiments, statsAt } from './data/store.ts';
import { forgetToken, token } from './data/token.ts';
import { place } from './router.ts';
import { isDark, turnTheme } from './theme.ts';
import { Mark } from './ui/badge.tsx';
import { askToken, Dialogs } from './ui/confirm.tsx';
import { Toasts } from './ui/toasts.tsx';
import type { Tone } from './ui/tones.ts';
import { ApprovalsPage } from './views/approvals.tsx';
import { AuditPage } from './views/audit.tsx';
import { ConfigPage } from './views/config.tsx';
import { ExperimentPage } from './views/experiment.tsx';
import { Overview } from './views/overview.tsx';
import { TapPage } from './views/tap.tsx';
import { UpstreamsPage } from './views/upstreams.tsx';

const LINKS = [
  { href: '#/', view: 'overview', label: 'Experiments' },
  { href: '#/upstreams', view: 'upstreams', label: 'Upstreams' },
  { href: '#/tap', view: 'tap', label: 'Live tap' },
  { href: '#/config', view: 'config', label: 'Config' },
  { href: '#/audit', view: 'audit', label: 'Audit' },
  { href: '#/approvals', view: 'approvals', label: 'Approvals' },
] as const;

/** The counters come every 2 s; later than this they are not of now any more. */
const STALE_MS = 7000;

export function App() {
  const waiting = approvals.data.value?.approvals.length ?? 0;
  const { view } = place.value;
  return (
    <div class="frame">
      <button type="button" class="skip" onClick={skip}>
        Skip to the content
      </button>
      <header class="bar">
        <a class="brand" href="#/">
          <Logo /> Fairlead
        </a>
        <nav class="nav" aria-label="Views">
          {LINKS.map((link) => {
            const isHere = link.view === view || (link.view === 'overview' && view === 'experiment');
            return (
              <a key={link.href} href={link.href} aria-current={isHere ? 'page' : undefined}>
                {link.label}
                {link.view === 'approvals' && waiting > 0 && <span class="bubble">{waiting}</span>}
              </a>
            );
          })}
        </nav>
        <div class="status">
          <Service />
          <Freshness />
          {token.value === null ? (
            <button type="button" class="button is-quiet" onClick={askToken}>
              Token
            </button>
          ) : (
            <button type="button" class="button is-quiet" onClick={forgetToken}>
              Forget token
            </button>
          )}
          <button type="button" class="button is-quiet" onClick={turnTheme}>
            {isDark.value ? 'Light' : 'Dark'}
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <SignInNote />
        <View />
      </main>
      <Dialogs />
      <Toasts />
    </div>
  );
}

function View() {
  const at = place.value;
  const title =
    at.view === 'experiment' ? at.name : (LINKS.find((one) => one.view === at.view)?.label ?? 'Fairlead');
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${title} · Fairlead`;
    // Another view begins at its top, for the eyes and for screen readers.
    if (!isFirst.current) {
      scrollTo(0, 0);
      document.getElementById('main')?.focus({ preventScroll: true });
    }
    isFirst.current = false;
  }, [title]);
  switch (at.view) {
    case 'overview':
      return <Overview />;
    case 'experiment':
      return <ExperimentPage key={at.name} name={at.name} />;
    case 'upstreams':
      return <UpstreamsPage />;
    case 'tap':
      return <TapPage />;
    case 'config':
      return <ConfigPage />;
    case 'audit':
      return <AuditPage />;
    case 'approvals':
      return <ApprovalsPage />;
    case 'nowhere':
      return <h1>There is no such view</h1>;
  }
}

function Service() {
  const data = config.data.value;
  if (data === null) return null;
  return (
    <span class="service" title={`config ${data.hash}`}>
      <b>{data.service}</b> <span class="muted number">v{data.version}</span>
    </span>
  );
}

/** Whether what is shown is of now. */
function Freshness() {
  const { tone, text } = freshness();
  return (
    <span class="freshness" role="status">
      <Mark tone={tone} /> {text}
    </span>
  );
}

function freshness(): { readonly tone: Tone; readonly text: string } {
  // Once a second, so that silence is seen as well.
  now.value;
  const age = performance.now() - statsAt.value;
  const isFresh = statsAt.value > 0 && age < STALE_MS;
  const state = events.state.value;
  if (state === 'open') return isFresh ? { tone: 'ok', text: 'live' } : { tone: 'idle', text: 'connected' };
  if (state === 'opening' || state === 'closed') return { tone: 'idle', text: 'connecting' };
  if (state === 'refused') return { tone: 'warn', text: 'needs a token' };
  if (state === 'missing' && isFresh) return { tone: 'info', text: 'polling' };
  const seconds = Math.max(0, Math.ceil((events.retryAt.value - performance.now()) / 1000));
  if (isFresh) return { tone: 'warn', text: `connection lost, again in ${seconds} s` };
  const since = statsAt.value > 0 ? `stale for ${Math.round(age / 1000)} s` : 'not connected';
  return { tone: 'bad', text: `${since}, again in ${seconds} s` };
}

function SignInNote() {
  const problem = experiments.problem.value;
  if (problem === null || (problem.status !== 401 && problem.status !== 403)) return null;
  return (
    <p class="note">
      {problem.status === 401 ? 'Reading here needs a token.' : problem.message}{' '}
      <button type="button" class="button is-main" onClick={askToken}>
        Give a token
      </button>
    </p>
  );
}

/** No link: the hash is the address of the view. */
function skip(): void {
  document.getElementById('main')?.focus();
}

function Logo() {
  return (
    <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
      <circle class="logo-ring" cx="10" cy="10" r="7" />
      <path class="logo-line" d="M1 13 C6 13 6 7 10 7 S15 10 19 5" />
    </svg>
  );
}
