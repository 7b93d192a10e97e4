/** One experiment in the overview. */
import { recentTraffic } from '../data/store.ts';
import { millis, percent, rate, sentence, share, words } from '../format.ts';
import { experimentHref } from '../router.ts';
import { Badge, Mark } from '../ui/badge.tsx';
import { Sparkline } from '../ui/sparkline.tsx';
import { SplitBar } from '../ui/split-bar.tsx';
import { toneOfBreaker, toneOfRollout, toneOfStatus, toneOfVerdict, verdictWord } from '../ui/tones.ts';
import { Swatch } from '../ui/variant-key.tsx';
import type { Row, RowPart } from './overview-rows.ts';

/** Variants whose numbers have room in a row; the page of the experiment has all. */
const PARTS_MAX = 3;

const HEALTH_WORDS = { bad: 'failing', warn: 'needs attention', info: 'well', ok: 'well', idle: 'idle' };

export function ExperimentRow({ row }: { readonly row: Row }) {
  const { experiment, parts, breaker, rollout, verdict, health } = row;
  const { name, owner, status, condition } = experiment;
  return (
    <tr>
      <th scope="row">
        <span class="row-title">
          <span class="health">
            <Mark tone={health} />
            <span class="visually-hidden">{HEALTH_WORDS[health]}: </span>
          </span>
          <a href={experimentHref(name)}>{name}</a>
        </span>
        <span class="row-note">
          <span class={`tone-text-${toneOfStatus(status, condition)}`}>{condition ?? status}</span>
          {owner !== null && ` · ${owner}`}
        </span>
      </th>
      <td class="split-cell">
        <SplitBar parts={parts} />
        <span class="row-note number">
          {parts.map((part) => percent(part.wanted)).join(' / ')}
          {parts.some((part) => part.seen !== null) && (
            <> · seen {parts.map((part) => percent(part.seen)).join(' / ')}</>
          )}
        </span>
      </td>
      <td class="number traffic-cell" data-label="Traffic">
        <Sparkline values={recentTraffic.of(name)} />
        <span>{rate(row.perSecond)}</span>
      </td>
      <td class="number" data-label="Errors">
        <PerVariant parts={parts} of={(part) => share(part.stats?.errorShare)} />
      </td>
      <td class="number" data-label="p99">
        <PerVariant parts={parts} of={(part) => millis(part.stats?.p99Ms)} />
      </td>
      <td data-label="Breaker">
        {breaker === null ? (
          <span class="muted">none</span>
        ) : (
          <Badge tone={toneOfBreaker(breaker)} title={breaker.name}>
            {breaker.mode === 'enforce' ? breaker.state : `${breaker.state}, ${words(breaker.mode)}`}
          </Badge>
        )}
      </td>
      <td data-label="Rollout">
        {rollout === null ? (
          <span class="muted">–</span>
        ) : (
          <>
            <Badge tone={toneOfRollout(rollout.phase)}>{words(rollout.phase)}</Badge>
            <span class="row-note number">
              {rollout.share}
              {!rollout.isOver && ` · step ${rollout.step} of ${rollout.steps.length}`}
            </span>
          </>
        )}
      </td>
      <td class="verdict-cell" data-label="Verdict">
        {verdict === null ? (
          <span class="muted">–</span>
        ) : (
          <>
            <Badge tone={toneOfVerdict(verdict.verdict.kind)}>{verdictWord(verdict.verdict.kind)}</Badge>
            <span class="row-note is-cut" title={verdict.verdict.reason}>
              {sentence(verdict.verdict.reason)}
            </span>
          </>
        )}
      </td>
    </tr>
  );
}

function PerVariant(props: { readonly parts: readonly RowPart[]; readonly of: (part: RowPart) => string }) {
  return (
    <>
      {props.parts.slice(0, PARTS_MAX).map((part) => (
        <span key={part.name} class="per-variant">
          <Swatch index={part.index} />
          <span class="visually-hidden">{part.name}</span> {props.of(part)}
        </span>
      ))}
    </>
  );
}
