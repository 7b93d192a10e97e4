/**
 * Layers: that the experiments of one never share a unit, which the ranges and the units must say. Pure.
 */
import { overlap } from '../experiment/layer.ts';
import type { ConfigIssue, ConfigPath } from './issue.ts';
import type { IssueAt } from './parse.ts';
import type { Config } from './schema.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { didYouMean } from './suggest.ts';
import { formatRange } from './units.ts';

type Member = readonly [name: string, experiment: ExperimentConfig];

/** Every mistake and warning about layers and holdouts. */
export function layerIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const members = Object.entries(config.experiments);
  return [
    ...members.flatMap((member) => membershipIssues(config, member, issueAt)),
    ...Object.keys(config.layers).flatMap((layer) => {
      const within = members.filter(([, experiment]) => experiment.layer === layer);
      if (within.length > 0)
        return [...overlapIssues(layer, within, issueAt), ...unitIssues(layer, within, issueAt)];
      return [
        issueAt(['layers', layer], 'no experiment is in this layer', { isKey: true, severity: 'warning' }),
      ];
    }),
    ...saltIssues(config, issueAt),
  ];
}

function membershipIssues(config: Config, [name, experiment]: Member, issueAt: IssueAt): ConfigIssue[] {
  const { layer, range } = experiment;
  const at = (keys: ConfigPath, message: string) => [issueAt(['experiments', name, ...keys], message)];
  if (layer === undefined)
    return range === undefined ? [] : at(['range'], 'a range is part of a layer; name it: layer: NAME');
  if (!Object.hasOwn(config.layers, layer)) {
    const layers = Object.keys(config.layers);
    const known =
      layers.length === 0 ? '; declare it at the top: layers: { NAME: {} }' : didYouMean(layer, layers);
    return at(['layer'], `there is no layer ${JSON.stringify(layer)}${known}`);
  }
  if (range === undefined) return at(['layer'], 'say which part of the layer it has: range: 0%-40%');
  return range.flatMap((one, index) =>
    range.slice(0, index).some((other) => overlap([one], [other]) !== null)
      ? at(['range', index], `${formatRange(one)} overlaps another range of the same experiment`)
      : [],
  );
}

/** A concluded experiment gives everyone the winner, whatever the layer says: its ranges are free again. */
function overlapIssues(layer: string, members: readonly Member[], issueAt: IssueAt): ConfigIssue[] {
  const owners = members.filter(([, { status }]) => status !== 'concluded');
  return owners.flatMap(([name, { range = [] }], index) =>
    owners.slice(0, index).flatMap(([other, { range: taken = [] }]) => {
      const common = overlap(taken, range);
      if (common === null) return [];
      const message = `the experiments ${JSON.stringify(other)} and ${JSON.stringify(name)} both have ${formatRange(common)} of the layer ${JSON.stringify(layer)}; two experiments of one layer share no unit`;
      return [issueAt(['experiments', name, 'range'], message)];
    }),
  );
}

/** Somebody with two ids is two units: only with the same sources in the same order is nobody in two experiments. */
function unitIssues(layer: string, members: readonly Member[], issueAt: IssueAt): ConfigIssue[] {
  const [first, ...others] = members;
  const perRequest = members.flatMap(([name, { unit }]) =>
    unit?.some((source) => source.request !== undefined)
      ? [
          issueAt(
            ['experiments', name, 'unit'],
            'in a layer the unit cannot be the request: each experiment would draw its own',
          ),
        ]
      : [],
  );
  if (first === undefined || perRequest.length > 0) return perRequest;
  return others.flatMap(([name, { unit }]) => {
    if (JSON.stringify(unit) === JSON.stringify(first[1].unit)) return [];
    const message = `the experiments ${JSON.stringify(first[0])} and ${JSON.stringify(name)} of the layer ${JSON.stringify(layer)} have different units, so that one user could be in both`;
    return [
      issueAt(['experiments', name, ...(unit === undefined ? [] : ['unit'])], message, {
        isKey: unit === undefined,
      }),
    ];
  });
}

/** Two layers with one salt would deal alike: who is in an experiment of one would be in one of the other. */
function saltIssues(config: Config, issueAt: IssueAt): ConfigIssue[] {
  const owners = new Map<string, string>();
  return Object.entries(config.layers).flatMap(([name, layer]) => {
    const salt = layer.salt ?? name;
    const other = owners.get(salt);
    owners.set(salt, other ?? name);
    if (other === undefined) return [];
    const message = `the layers ${JSON.stringify(other)} and ${JSON.stringify(name)} have the same salt ${JSON.stringify(salt)}, so they would deal out the same users`;
    return layer.salt === undefined
      ? [issueAt(['layers', name], message, { isKey: true })]
      : [issueAt(['layers', name, 'salt'], message)];
  });
}
