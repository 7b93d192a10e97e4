/** What `explain` prints of targeting: every clause with its answer, those of a group below it, further in. Pure. */
import type { RequestAttributes, TargetingClause } from './model.ts';

/** Adds the lines of one clause of an experiment. Of a group every clause is asked, also those that decide nothing. */
export function traceClause(
  lines: string[],
  clause: TargetingClause,
  request: RequestAttributes,
  fallbackName: string,
): void {
  const answer = clause.matches(request) ? 'yes' : `no, so it gets ${fallbackName}`;
  lines.push(`targeting: ${clause.group?.name ?? clause.text}: ${answer}`);
  traceGroup(lines, clause, request, '  ');
}

function traceGroup(
  lines: string[],
  { group }: TargetingClause,
  request: RequestAttributes,
  indent: string,
): void {
  for (const inner of group?.clauses ?? []) {
    lines.push(
      `targeting: ${indent}${inner.group?.name ?? inner.text}: ${inner.matches(request) ? 'yes' : 'no'}`,
    );
    traceGroup(lines, inner, request, `${indent}  `);
  }
}
