/** What mirrored requests say: where the answers of the candidate are not those of control, noise left out. */
import { useMemo } from 'preact/hooks';
import { Resource, useResource } from '../data/resource.ts';
import type { DiffPath, Diffs as Found } from '../data/types.ts';
import { count, millis, percent, share } from '../format.ts';
import { Badge } from '../ui/badge.tsx';
import { Empty, Loaded, Panel, Scroll } from '../ui/panel.tsx';
import type { Tone } from '../ui/tones.ts';

const DIFFS_MS = 10_000;
const PATHS_SHOWN = 20;

const VERDICTS: Readonly<Record<string, { readonly tone: Tone; readonly text: string }>> = {
  regression: { tone: 'bad', text: 'answers differ' },
  none: { tone: 'ok', text: 'no difference' },
  insufficient: { tone: 'idle', text: 'not enough data' },
};

const PATH_TONES: Readonly<Record<string, Tone>> = { regression: 'bad', unclear: 'warn', noise: 'idle' };

export function Diffs({ path }: { readonly path: string }) {
  const diffs = useResource(
    useMemo(() => new Resource<Found>(`${path}/diffs`), [path]),
    DIFFS_MS,
  );
  return (
    <Panel title="Mirrored answers" aside={<MirrorNote found={diffs.data.value} />}>
      <Loaded resource={diffs} missing="This sidecar mirrors nothing.">
        {(found) =>
          found.mirror === null ? (
            <Empty>
              Nothing is mirrored. <code>docs/mirroring.md</code> shows how to compare answers before anybody
              gets them.
            </Empty>
          ) : (
            <Compared found={found} />
          )
        }
      </Loaded>
    </Panel>
  );
}

function MirrorNote({ found }: { readonly found: Found | null }) {
  if (found === null || found.mirror === null) return null;
  const { share: mirrored, candidate } = found.mirror;
  return (
    <span class="muted">
      {percent(mirrored)} of the requests, to {candidate} as well
    </span>
  );
}

function Compared({ found }: { readonly found: Found }) {
  const { verdict, paths, latency, compared, missed } = found;
  const { tone, text } = VERDICTS[verdict.kind] ?? { tone: 'idle', text: verdict.kind };
  const skipped = Object.values(missed).reduce((sum, one) => sum + one, 0);
  return (
    <>
      <p class="sentence">
        <Badge tone={tone}>{text}</Badge> {verdict.reason}
      </p>
      <dl class="facts is-inline">
        <div>
          <dt>compared</dt>
          <dd class="number">{count(compared)}</dd>
        </div>
        <div>
          <dt>left out</dt>
          <dd class="number">{count(skipped)}</dd>
        </div>
        <div>
          <dt>p99</dt>
          <dd class="number">
            {millis(latency.control.p99)} control, {millis(latency.candidate.p99)} candidate
          </dd>
        </div>
      </dl>
      {paths.length > 0 && <Paths paths={paths} compared={compared} />}
    </>
  );
}

function Paths({ paths, compared }: { readonly paths: readonly DiffPath[]; readonly compared: number }) {
  return (
    <Scroll label="What differs">
      <table class="grid small">
        <thead>
          <tr>
            <th scope="col">What differs</th>
            <th scope="col">It is</th>
            <th scope="col" class="number">
              Candidate
            </th>
            <th scope="col" class="number">
              Control from itself
            </th>
          </tr>
        </thead>
        <tbody>
          {paths.slice(0, PATHS_SHOWN).map(({ path, kind, differences, noise }) => (
            <tr key={path}>
              <th scope="row">
                <code>{path}</code>
              </th>
              <td>
                <Badge tone={PATH_TONES[kind] ?? 'idle'}>{kind}</Badge>
              </td>
              <td class="number">{share(ratio(differences, compared))}</td>
              <td class="number">{share(ratio(noise, compared))}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {paths.length > PATHS_SHOWN && <p class="muted">{count(paths.length - PATHS_SHOWN)} more</p>}
    </Scroll>
  );
}

function ratio(hits: number, of: number): number | null {
  return of === 0 ? null : hits / of;
}
