/** Changes that wait for a second person. */
import { approvalActions } from '../data/actions.ts';
import { useResource } from '../data/resource.ts';
import { approvals } from '../data/store.ts';
import type { Approval } from '../data/types.ts';
import { words } from '../format.ts';
import { ActionButton } from '../ui/confirm.tsx';
import { Empty, Loaded, Panel } from '../ui/panel.tsx';
import { Ago, At } from '../ui/time.tsx';

const APPROVALS_MS = 5000;

export function ApprovalsPage() {
  useResource(approvals, APPROVALS_MS);
  return (
    <>
      <h1>Approvals</h1>
      <Loaded resource={approvals} missing="This sidecar has no approvals.">
        {(data) =>
          data.approvals.length === 0 ? (
            <Empty>
              Nothing waits. A change of an experiment on a protected route is done when somebody else
              approves it.
            </Empty>
          ) : (
            <div class="stack">
              {data.approvals.map((one) => (
                <Waiting key={one.id} approval={one} />
              ))}
            </div>
          )
        }
      </Loaded>
    </>
  );
}

function Waiting({ approval }: { readonly approval: Approval }) {
  const { id, action, target, reason, before, after, askedBy, askedAt, expiresAt, digest } = approval;
  return (
    <Panel title={`${words(action)} ${target}`} aside={<span class="muted">{id}</span>}>
      <p class="sentence">
        <span class="muted">{before}</span> → {after}
      </p>
      <dl class="facts">
        <div>
          <dt>asked by</dt>
          <dd>
            {askedBy}, <Ago at={askedAt} />
          </dd>
        </div>
        <div>
          <dt>why</dt>
          <dd>{reason}</dd>
        </div>
        <div>
          <dt>until</dt>
          <dd>
            <At at={expiresAt} />
          </dd>
        </div>
        <div>
          <dt>digest</dt>
          <dd>
            <code>{digest}</code>
          </dd>
        </div>
      </dl>
      <div class="actions">
        {approvalActions(approval).map((one, index) => (
          <ActionButton key={one.verb} action={one} isMain={index === 0} />
        ))}
      </div>
    </Panel>
  );
}
