/** Settings of exposures and of tracing that contradict each other. Pure. */
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { Config } from './schema.ts';

export function exposureIssues(
  { exposures, tracing }: Config,
  issueAt: (path: ConfigPath, message: string) => ConfigIssue,
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const say = (path: ConfigPath, message: string) => issues.push(issueAt(['exposures', ...path], message));
  const { spool, sinks, unitKeys, format, file } = exposures;
  if (exposures.key !== undefined && exposures.keyFile !== undefined)
    say(['keyFile'], 'key and keyFile are both given; keep one');
  if (unitKeys.length > 0 && (exposures.key ?? exposures.keyFile) !== undefined)
    say(['unitKeys'], 'there is one key already; make it the first of unitKeys, or keep that one alone');
  if (spool !== undefined && file !== undefined)
    say(['file'], 'with a spool, records go to its sinks; make this a sink of kind file');
  if (spool !== undefined && format === 'ndjson')
    say(['format'], 'a spool holds CloudEvents; leave this out');
  if (spool !== undefined && sinks.length === 0) say(['spool'], 'nothing reads it; give at least one sink');
  if (spool === undefined && sinks.length > 0) say(['sinks'], 'sinks are sent what is in a spool; give one');
  if (spool !== undefined && spool.maxBytes < 2 * spool.segmentBytes)
    say(['spool', 'maxBytes'], 'it must be at least twice segmentBytes, as whole segments are dropped');
  for (const [index, { name }] of sinks.entries()) {
    if (sinks.findIndex((other) => other.name === name) !== index)
      say(['sinks', index, 'name'], `two sinks are called ${JSON.stringify(name)}`);
  }
  for (const [index, sink] of sinks.entries()) issues.push(...sinkIssues(sink, index, issueAt));
  for (const [index, { id, from }] of unitKeys.entries()) {
    if (unitKeys.findIndex((other) => other.id === id) !== index)
      say(['unitKeys', index, 'id'], `two keys are called ${JSON.stringify(id)}`);
    else if (unitKeys.findIndex((other) => other.from === from) !== index)
      say(['unitKeys', index, 'from'], 'two keys are in force from the same time on');
  }
  if (tracing?.token !== undefined && tracing.tokenFile !== undefined)
    issues.push(issueAt(['tracing', 'tokenFile'], 'token and tokenFile are both given; keep one'));
  return issues;
}

function sinkIssues(
  sink: Config['exposures']['sinks'][number],
  index: number,
  issueAt: (path: ConfigPath, message: string) => ConfigIssue,
): ConfigIssue[] {
  const path: ConfigPath = ['exposures', 'sinks', index];
  if (sink.kind === 'file') return [];
  if (sink.kind !== 'kafka') {
    if (sink.token === undefined || sink.tokenFile === undefined) return [];
    return [issueAt([...path, 'tokenFile'], 'token and tokenFile are both given; keep one')];
  }
  const passwords = [sink.password, sink.passwordFile].filter((one) => one !== undefined);
  if (passwords.length === (sink.username === undefined ? 0 : 1)) return [];
  return [
    issueAt([...path, 'username'], 'give a username with a password or a passwordFile, or none of them'),
  ];
}
