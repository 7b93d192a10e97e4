/** A part of a view with its heading, and what stands there when there is nothing. */
import type { ComponentChildren } from 'preact';
import type { Resource } from '../data/resource.ts';

export function Panel(props: {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly class?: string;
  readonly children: ComponentChildren;
}) {
  const id = `panel-${props.title.toLowerCase().replace(/\W+/g, '-')}`;
  return (
    <section class={`panel ${props.class ?? ''}`} aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>{props.title}</h2>
        {props.aside}
      </header>
      {props.children}
    </section>
  );
}

export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** What a resource holds, or why there is nothing. `missing`: the sidecar does not have it. */
export function Loaded<T>(props: {
  readonly resource: Resource<T>;
  readonly missing: ComponentChildren;
  readonly children: (data: T) => ComponentChildren;
}) {
  const { resource, missing, children } = props;
  const data = resource.data.value;
  const problem = resource.problem.value;
  if (problem?.status === 404) return <Empty>{missing}</Empty>;
  if (data !== null) return <>{children(data)}</>;
  if (problem !== null) return <Empty>{problem.message}</Empty>;
  return <p class="empty is-loading">Reading…</p>;
}

/** A table that is wider than its place is scrolled, by keyboard too. */
export function Scroll({
  label,
  children,
}: {
  readonly label: string;
  readonly children: ComponentChildren;
}) {
  return (
    <div class="scroll" role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}
