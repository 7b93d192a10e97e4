/**
 * The dialog before a change: what will happen, why it is done, and with whose token. Nothing is sent before a person
 * has said why, and a refusal stays to be read.
 */

import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Action, Field } from '../data/actions.ts';
import { change, Problem } from '../data/api.ts';
import { refreshAll } from '../data/store.ts';
import { keepToken, token } from '../data/token.ts';
import { say } from './toasts.tsx';

/** As long as the admin API puts on record. */
const REASON_MAX_CHARS = 500;

const asked = signal<Action | null>(null);
const signsIn = signal(false);

/** Opens the dialog. */
export function ask(action: Action): void {
  asked.value = action;
}

/** Opens the one that takes a token and nothing else. */
export function askToken(): void {
  signsIn.value = true;
}

/** A button that asks before it does anything. */
export function ActionButton({
  action,
  isMain = false,
}: {
  readonly action: Action;
  readonly isMain?: boolean;
}) {
  const look = action.isDanger ? 'is-danger' : isMain ? 'is-main' : '';
  return (
    <button type="button" class={`button ${look}`} onClick={() => ask(action)}>
      {action.verb}
    </button>
  );
}

export function Dialogs() {
  return (
    <>
      {asked.value !== null && <Confirm key={asked.value.title} action={asked.value} />}
      {signsIn.value && <SignIn />}
    </>
  );
}

function Confirm({ action }: { readonly action: Action }) {
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const values = valuesOf(event.currentTarget as HTMLFormElement);
    if (values.reason?.trim() === '')
      return setProblem(new Problem(0, 'no_reason', 'Say why, for the record.'));
    if (values.token) keepToken(values.token.trim());
    setSending(true);
    setProblem(null);
    try {
      const { isAsked, approvalId } = await change('POST', action.path, {
        ...action.body(values),
        reason: values.reason,
      });
      say(
        isAsked ? `${action.title}: waits for a second person (${approvalId}).` : `${action.title}: done.`,
        isAsked ? 'warn' : 'ok',
      );
      asked.value = null;
      refreshAll();
    } catch (error) {
      setProblem(error instanceof Problem ? error : new Problem(0, 'unknown', String(error)));
      setSending(false);
    }
  };
  return (
    <Modal title={action.title} onClose={() => (asked.value = null)}>
      <form onSubmit={submit}>
        <ul class="effects">
          {action.effects.map((effect) => (
            <li key={effect}>{effect}</li>
          ))}
        </ul>
        {action.fields.map((field) =>
          field.kind === 'check' ? (
            <Check key={field.name} field={field} />
          ) : (
            <Text key={field.name} field={field} />
          ),
        )}
        <label class="field">
          <span>Reason</span>
          <textarea name="reason" rows={2} maxLength={REASON_MAX_CHARS} required data-first />
          <small>It goes on record with the change.</small>
        </label>
        {token.value === null && <TokenField />}
        {problem !== null && <Refused problem={problem} />}
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={() => (asked.value = null)}>
            Cancel
          </button>
          <button
            type="submit"
            class={`button ${action.isDanger ? 'is-danger-main' : 'is-main'}`}
            disabled={isSending}
          >
            {isSending ? 'Sending…' : action.verb}
          </button>
        </footer>
      </form>
    </Modal>
  );
}

function Check({ field: { name, label, hint } }: { readonly field: Field }) {
  return (
    <label class="check">
      <input type="checkbox" name={name} />
      <span>{label}</span>
      <small>{hint}</small>
    </label>
  );
}

function Text({ field: { name, label, value, hint } }: { readonly field: Field }) {
  return (
    <label class="field">
      <span>{label}</span>
      <input name={name} defaultValue={value} required />
      <small>{hint}</small>
    </label>
  );
}

function SignIn() {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const { token: given } = valuesOf(event.currentTarget as HTMLFormElement);
    signsIn.value = false;
    if (given) keepToken(given.trim());
  };
  return (
    <Modal title="Token" onClose={() => (signsIn.value = false)}>
      <form onSubmit={submit}>
        <TokenField isFirst />
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={() => (signsIn.value = false)}>
            Cancel
          </button>
          <button type="submit" class="button is-main">
            Use it
          </button>
        </footer>
      </form>
    </Modal>
  );
}

function TokenField({ isFirst = false }: { readonly isFirst?: boolean }) {
  return (
    <label class="field">
      <span>Token</span>
      <input name="token" type="password" autocomplete="off" required data-first={isFirst ? '' : undefined} />
      <small>
        One of <code>admin.token</code> or <code>admin.tokens</code>. This tab keeps it until it is closed.
      </small>
    </label>
  );
}

function Refused({ problem }: { readonly problem: Problem }) {
  return (
    <div class="refused" role="alert">
      <p>{problem.message}</p>
      {problem.hint !== null && <p class="muted">{problem.hint}</p>}
    </div>
  );
}

/** The browser's own dialog: it holds the focus, gives it back, and closes on Escape. */
function Modal(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current!;
    const before = document.activeElement;
    element.showModal();
    element.querySelector<HTMLElement>('[data-first]')?.focus();
    return () => {
      element.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
    >
      <h2 id="dialog-title">{props.title}</h2>
      {props.children}
    </dialog>
  );
}

function valuesOf(form: HTMLFormElement): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of new FormData(form)) if (typeof value === 'string') values[name] = value;
  return values;
}
