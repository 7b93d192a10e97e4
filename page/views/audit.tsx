/** Who changed what and why, the newest first, refused changes too. */
import { useSignal } from '@preact/signals';
import { Problem, read } from '../data/api.ts';
import { useResource } from '../data/resource.ts';
import { audit, auditHead } from '../data/store.ts';
import type { AuditHead, AuditRecord } from '../data/types.ts';
import { count, sentence, words } from '../format.ts';
import { Badge } from '../ui/badge.tsx';
import { Empty, Loaded, Panel, Scroll } from '../ui/panel.tsx';
import { At } from '../ui/time.tsx';
import { say } from '../ui/toasts.tsx';

const AUDIT_MS = 10_000;
const PAGE_RECORDS = 100;

export function AuditPage() {
  useResource(audit, AUDIT_MS);
  useResource(auditHead, AUDIT_MS);
  const older = useSignal<readonly AuditRecord[]>([]);
  const search = useSignal('');
  const head = auditHead.data.value;
  return (
    <>
      <h1>Audit</h1>
      {head !== null && <Head head={head} />}
      <div class="tools">
        <label class="search">
          <span class="visually-hidden">Search in the records</span>
          <input
            type="search"
            placeholder="Search by target, actor, action or reason"
            value={search.value}
            onInput={(event) => (search.value = event.currentTarget.value)}
          />
        </label>
      </div>
      <Loaded resource={audit} missing="This sidecar keeps no audit.">
        {(data) => <Records records={joined(data.audit, older.value)} search={search.value} older={older} />}
      </Loaded>
    </>
  );
}

function Head({ head: { head, file, isKeyed, pending, lost, isFailing } }: { readonly head: AuditHead }) {
  return (
    <Panel
      title="The chain"
      aside={
        <Badge tone={isFailing || lost > 0 ? 'bad' : 'ok'}>
          {isFailing ? 'cannot be written' : lost > 0 ? `${lost} lost` : 'complete'}
        </Badge>
      }
    >
      <dl class="facts">
        <div>
          <dt>last record</dt>
          <dd class="number">{count(head.id)}</dd>
        </div>
        <div>
          <dt>its hash</dt>
          <dd>
            <code class="hash">{head.hash}</code>
          </dd>
        </div>
        <div>
          <dt>kept in</dt>
          <dd>
            {file === null ? 'memory only' : file}
            {isKeyed && ', sealed with a key'}
            {pending > 0 && `, ${pending} not written yet`}
          </dd>
        </div>
      </dl>
      {file !== null && (
        <p class="muted">
          <code>fairlead audit verify</code> finds a record that was changed or is missing.
        </p>
      )}
    </Panel>
  );
}

function Records(props: {
  readonly records: readonly AuditRecord[];
  readonly search: string;
  readonly older: { value: readonly AuditRecord[] };
}) {
  const { records, older } = props;
  const text = props.search.trim().toLowerCase();
  const shown = records.filter((one) =>
    [one.action, one.target, one.actor, one.reason].join(' ').toLowerCase().includes(text),
  );
  const last = records.at(-1)?.id ?? null;
  const more = async () => {
    try {
      const { audit: found } = await read<{ audit: readonly AuditRecord[] }>(
        `/v1/audit?limit=${PAGE_RECORDS}&before=${last}`,
      );
      if (found.length === 0) say('There are no older records.', 'info');
      older.value = [...older.value, ...found];
    } catch (error) {
      say(error instanceof Problem ? error.message : String(error), 'bad');
    }
  };
  if (records.length === 0) return <Empty>Nothing was changed yet.</Empty>;
  return (
    <>
      <Scroll label="Records">
        <table class="grid audit">
          <thead>
            <tr>
              <th scope="col" class="number">
                No.
              </th>
              <th scope="col">When</th>
              <th scope="col">What</th>
              <th scope="col">Who</th>
              <th scope="col">Change</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((one) => (
              <tr key={`${one.id} ${one.at} ${one.action}`}>
                <td class="number muted">{one.id ?? '–'}</td>
                <td>
                  <At at={one.at} />
                </td>
                <th scope="row">
                  {words(one.action)} <code>{one.target}</code>
                  {one.result !== 'done' && <Badge tone="bad">{one.result}</Badge>}
                </th>
                <td>{one.actor}</td>
                <td>
                  {one.before === one.after ? (
                    <span class="muted">–</span>
                  ) : (
                    <>
                      <span class="muted">{one.before}</span> → {one.after}
                    </>
                  )}
                </td>
                <td class="why">{sentence(one.reason)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {last !== null && last > 1 && (
        <button type="button" class="button" onClick={more}>
          Older records
        </button>
      )}
    </>
  );
}

/** Records that came since then are at the front, so that some may be in both. */
function joined(newest: readonly AuditRecord[], older: readonly AuditRecord[]): readonly AuditRecord[] {
  const known = new Set(newest.map((one) => one.id));
  return [...newest, ...older.filter((one) => !known.has(one.id))];
}
