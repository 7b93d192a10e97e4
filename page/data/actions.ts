/**
 * What a person can do here, each with the sentence that says what will happen: the dialog shows it before anything is
 * sent. Pure.
 */
import type { Approval, Breaker, Experiment, Rollout } from './types.ts';

/** A further thing to fill in. */
export interface Field {
  readonly name: string;
  readonly label: string;
  readonly kind: 'text' | 'check';
  readonly value: string;
  readonly hint: string;
}

export interface Action {
  readonly title: string;
  /** What will happen, a sentence each. */
  readonly effects: readonly string[];
  /** What the button says. */
  readonly verb: string;
  readonly isDanger: boolean;
  readonly path: string;
  readonly fields: readonly Field[];
  /** The body without its reason. */
  readonly body: (values: Readonly<Record<string, string>>) => object;
}

const noFields = { fields: [], body: () => ({}) };

function onExperiment(name: string, verb: string): string {
  return `/v1/experiments/${encodeURIComponent(name)}:${verb}`;
}

/** @param shares Of the steps, as `10%`; none: they are not known here. */
export function startRollout(name: string, candidate: string, shares: readonly string[]): Action {
  const [first, ...later] = shares;
  return {
    title: `Start the rollout of ${name}`,
    effects: [
      first === undefined
        ? `${candidate} gets the share of the first step at once.`
        : `${candidate} gets ${first} of the units at once${later.length > 0 ? `, then ${later.join(', ')}` : ''}.`,
      'A step ends by itself when it was watched long enough and every guardrail has passed.',
      `A guardrail that is breached, or a breaker that opens, takes ${candidate} back to 0%.`,
    ],
    verb: 'Start rollout',
    isDanger: false,
    path: onExperiment(name, 'start-rollout'),
    fields: [
      {
        name: 'skipPreflight',
        label: 'Skip the pre-flight check',
        kind: 'check',
        value: '',
        hint: 'It asks whether the candidate is there, is well and answers like control.',
      },
    ],
    body: ({ skipPreflight }) => (skipPreflight === 'on' ? { skipPreflight: true } : {}),
  };
}

export function rolloutActions(rollout: Rollout): readonly Action[] {
  const { experiment: name, phase, step, steps, share, canUndo } = rollout;
  const next = steps[step]?.share;
  const promote: Action = {
    title: `Promote ${name} now`,
    effects: [
      next === undefined
        ? 'The last step ends now, without waiting for its evidence, and everybody keeps the candidate.'
        : `The candidate goes from ${share} to ${next} now, without waiting for the evidence of this step.`,
    ],
    verb: 'Promote',
    isDanger: false,
    path: onExperiment(name, 'promote'),
    ...noFields,
  };
  const pause: Action = {
    title: `Pause the rollout of ${name}`,
    effects: [
      `The candidate keeps ${share}, and the rollout goes no further until somebody resumes it.`,
      'A breach still takes it back.',
    ],
    verb: 'Pause',
    isDanger: false,
    path: onExperiment(name, 'pause-rollout'),
    ...noFields,
  };
  const resume: Action = {
    title: `Resume the rollout of ${name}`,
    effects: ['It goes on with the step that allows what the candidate has, and counts anew.'],
    verb: 'Resume',
    isDanger: false,
    path: onExperiment(name, 'resume'),
    ...noFields,
  };
  const abort: Action = {
    title: `Abort the rollout of ${name}`,
    effects: [`The candidate goes from ${share} to 0% now. Everybody gets control.`],
    verb: 'Abort',
    isDanger: true,
    path: onExperiment(name, 'abort'),
    ...noFields,
  };
  const undo: Action = {
    title: `Undo the last move of ${name}`,
    effects: ['The candidate gets the share it had before the last move, and the rollout is paused there.'],
    verb: 'Undo',
    isDanger: false,
    path: onExperiment(name, 'undo'),
    ...noFields,
  };
  const undone = canUndo ? [undo] : [];
  switch (phase) {
    case 'paused':
      return [resume, promote, abort, ...undone];
    case 'promoted':
    case 'rolled-back':
      return undone;
    case 'rolling-back':
      return [abort, ...undone];
    case 'promotion-failed':
      return [promote, abort, ...undone];
    default:
      return [promote, pause, abort, ...undone];
  }
}

export function experimentActions(experiment: Experiment): readonly Action[] {
  const { name, status, variants, runtime } = experiment;
  const fallback = variants.find((one) => one.isFallback)?.name ?? 'the fallback';
  const others = variants.filter((one) => !one.isFallback);
  const weights: Action = {
    title: `Set the weights of ${name}`,
    effects: [
      'The new weights hold for the next request.',
      `${fallback} takes what the others leave. The file stays as it is.`,
    ],
    verb: 'Set weights',
    isDanger: false,
    path: `/v1/experiments/${encodeURIComponent(name)}/weights`,
    fields: others.map((one) => ({
      name: one.name,
      label: one.name,
      kind: 'text',
      value: one.weight,
      hint: 'such as 25%',
    })),
    body: (values) => ({
      weights: Object.fromEntries(others.map((one) => [one.name, values[one.name] ?? one.weight])),
    }),
  };
  const start: Action = {
    title: `Start ${name}`,
    effects: ['Requests are assigned to its variants by their weights again.'],
    verb: 'Start experiment',
    isDanger: false,
    path: onExperiment(name, 'start'),
    ...noFields,
  };
  const pause: Action = {
    title: `Pause ${name}`,
    effects: [`Nobody new is assigned and gets ${fallback}; who carries a variant keeps it.`],
    verb: 'Pause experiment',
    isDanger: false,
    path: onExperiment(name, 'pause'),
    ...noFields,
  };
  const clear: Action = {
    title: `Clear what was changed of ${name}`,
    effects: ['Status and weights are those of the config file again.'],
    verb: 'Clear changes',
    isDanger: false,
    path: onExperiment(name, 'clear'),
    ...noFields,
  };
  const kill: Action = {
    title: `Kill ${name}`,
    effects: [`Everybody gets ${fallback} from the next request on, also who asked for another variant.`],
    verb: 'Kill experiment',
    isDanger: true,
    path: onExperiment(name, 'kill'),
    ...noFields,
  };
  const isRunning = status === 'running';
  return [
    ...(isRunning ? [weights, pause] : [start, weights]),
    ...(runtime === null ? [] : [clear]),
    ...(status === 'killed' ? [] : [kill]),
  ];
}

export function breakerActions({
  name,
  state,
  mode,
}: Pick<Breaker, 'name' | 'state' | 'mode'>): readonly Action[] {
  const path = `/v1/breakers/${name.split('/').map(encodeURIComponent).join('/')}`;
  const trip: Action = {
    title: `Trip the breaker ${name}`,
    effects: ['It is open for this time: the requests of its variant get the fallback.'],
    verb: 'Trip',
    isDanger: false,
    path: `${path}:trip`,
    fields: [{ name: 'for', label: 'For how long', kind: 'text', value: '60s', hint: 'at most 24h' }],
    body: ({ for: time }) => ({ for: time }),
  };
  const reset: Action = {
    title: `Reset the breaker ${name}`,
    effects: ['It is closed, and what it counted or was forced to is forgotten.'],
    verb: 'Reset',
    isDanger: false,
    path: `${path}:reset`,
    ...noFields,
  };
  return state === 'closed' && !mode.startsWith('forced') ? [trip] : [reset];
}

export function endpointAction(upstream: string, id: string, isDrained: boolean): Action {
  const path = `/v1/upstreams/${encodeURIComponent(upstream)}/endpoints/${encodeURIComponent(id)}`;
  return isDrained
    ? {
        title: `Let ${id} back into ${upstream}`,
        effects: ['It gets requests again.'],
        verb: 'Undrain',
        isDanger: false,
        path: `${path}:undrain`,
        ...noFields,
      }
    : {
        title: `Drain ${id} of ${upstream}`,
        effects: ['Nothing new goes there; what is under way is finished.'],
        verb: 'Drain',
        isDanger: false,
        path: `${path}:drain`,
        ...noFields,
      };
}

export function approvalActions({
  id,
  action,
  target,
  before,
  after,
  digest,
  askedBy,
}: Approval): readonly Action[] {
  return [
    {
      title: `Approve ${words(action)} of ${target}`,
      effects: [`Does what ${askedBy} asked for: ${before} becomes ${after}.`],
      verb: 'Approve',
      isDanger: false,
      path: `/v1/approvals/${encodeURIComponent(id)}:approve`,
      fields: [],
      body: () => ({ digest }),
    },
    {
      title: `Cancel ${words(action)} of ${target}`,
      effects: ['Nothing comes of it.'],
      verb: 'Cancel change',
      isDanger: true,
      path: `/v1/approvals/${encodeURIComponent(id)}:cancel`,
      ...noFields,
    },
  ];
}

export const reloadAction: Action = {
  title: 'Reload the config file',
  effects: [
    'The file is read again and holds from the next request on. One that is not valid changes nothing.',
  ],
  verb: 'Reload',
  isDanger: false,
  path: '/v1/reload',
  ...noFields,
};

function words(action: string): string {
  return action.replaceAll('-', ' ');
}
