/** Rollouts over the real control plane, with traffic and a time that are made up. */

import { writeFileSync } from 'node:fs';
import type { Results } from '../../src/analysis/results/results.ts';
import type { ArmCounts } from '../../src/analysis/rollout/rollout-plan.ts';
import type { OpenBreaker } from '../../src/control/rollout-evidence.ts';
import type { HookAnswers } from '../../src/control/rollout-hooks.ts';
import { Rollouts } from '../../src/control/rollouts.ts';
import type { ControlState } from '../../src/control/state.ts';
import { ControlFolder, START_MS } from './control.ts';
import { seededRandom } from './seeded-random.ts';

const QUIET: HookAnswers = { rollBack: null, objection: null, confirmed: null };
const BY = { actor: 'token:ann', reason: 'a test' } as const;

export class RolloutBench {
  readonly folder = new ControlFolder();
  readonly told: string[] = [];
  answers = QUIET;
  /** Found by the pre-flight check. */
  problems: string[] = [];
  against: string | null = null;
  openBreaker: OpenBreaker | null = null;
  results: Results | null = null;
  /** Thrown when counts are read. */
  evidenceProblem: Error | null = null;
  control!: ControlState;
  rollouts!: Rollouts;
  #nowMs = 0;
  #arms: { control: ArmCounts; candidate: ArmCounts } = {
    control: { requests: 0, hits: {} },
    candidate: { requests: 0, hits: {} },
  };

  /** Declares the rollout of `ranking`; null: none. */
  declare(rollout: string | null): void {
    const text = [
      'version: 1',
      'upstreams: { app: "127.0.0.1:9001" }',
      `stateFile: ${this.folder.stateFile}`,
      'requireMetadata: false',
      'experiments:',
      '  ranking:',
      '    variants: { control: {}, candidate: { weight: 0% } }',
      rollout === null ? '' : `    rollout: ${rollout}`,
      '',
    ];
    writeFileSync(this.folder.file, text.join('\n'));
  }

  async open(): Promise<void> {
    this.control = await this.folder.open();
    this.rollouts = new Rollouts({
      control: this.control,
      clock: { now: () => this.#nowMs, wallMs: () => START_MS + this.#nowMs },
      random: seededRandom(1),
      evidence: {
        read: async () => {
          if (this.evidenceProblem !== null) throw this.evidenceProblem;
          return new Map([['ranking', new Map(Object.entries(this.#arms))]]);
        },
        openBreaker: () => this.openBreaker,
        results: () => this.results,
      },
      hooks: {
        look: () => this.answers,
        confirm: async () => this.against,
        told: (experiment, { decision }) => this.told.push(`${experiment} ${decision.kind}`),
      },
      preflight: async () => this.problems,
      onEvent: (event) => this.folder.events.push(event),
      tickMs: 5,
    });
  }

  start(settings: { skipPreflight?: boolean } = {}) {
    return this.rollouts.start('ranking', { ...BY, skipPreflight: false, ...settings });
  }

  act(verb: Parameters<Rollouts['act']>[1]) {
    return this.rollouts.act('ranking', verb, BY);
  }

  /** So many seconds, in each of which both variants get so many requests and fail so many of them. */
  async seconds(
    count: number,
    requests: number,
    errors: { control: number; candidate: number },
  ): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.#nowMs += 1_000;
      const more = (arm: ArmCounts, failed: number): ArmCounts => ({
        requests: arm.requests + requests,
        hits: { errors: (arm.hits.errors ?? 0) + failed },
      });
      this.#arms = {
        control: more(this.#arms.control, errors.control),
        candidate: more(this.#arms.candidate, errors.candidate),
      };
      await this.rollouts.tick();
    }
  }

  state() {
    return this.rollouts.list()[0]!.state;
  }

  /** What the candidate has, by the rules in force, in per cent. */
  share(): number {
    const { variants } = this.control.snapshot.experiments.get('ranking')!;
    return variants.find(({ name }) => name === 'candidate')!.weightPpm / 10_000;
  }

  /** What is on record of the rollout. */
  records() {
    return this.folder.events.flatMap((event) =>
      event.kind === 'audit' && event.action.startsWith('rollout-') ? [event] : [],
    );
  }
}
