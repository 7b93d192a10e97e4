/** The dashboards of config/grafana, as far as they can be checked without Grafana. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { dashboards, expressions, filledIn, type Panel, taken } from '../../support/promql.ts';
import { hasTools } from '../../support/tools.ts';
import { withFile } from '../../support/with-file.ts';

const boards = dashboards();
const uids = boards.map(([, { uid }]) => uid);

/** Units of Grafana that are used; a misspelt one would show as text behind the number. */
const UNITS = ['short', 'reqps', 'cps', 's', 'bytes', 'percentunit'];

function overlaps(a: Panel['gridPos'], b: Panel['gridPos']): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

describe.each(boards)('%s', (name, board) => {
  it('has its own name, the schema it was written for, and links to the others', () => {
    expect([board.uid, board.schemaVersion]).toEqual([name, 39]);
    expect(board.links.map(({ url }) => url).sort()).toEqual(
      uids
        .filter((uid) => uid !== name)
        .map((uid) => `/d/${uid}`)
        .sort(),
    );
  });

  it('has panels with ids of their own that lie beside each other', () => {
    const { panels } = board;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [index, { gridPos, title }] of panels.entries()) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (const other of panels.slice(index + 1))
        expect(overlaps(gridPos, other.gridPos), `${title} over ${other.title}`).toBe(false);
    }
  });

  it('says of each panel what it shows, in which unit', () => {
    for (const { type, title, description, fieldConfig } of board.panels) {
      if (type === 'row') continue;
      expect(['timeseries', 'stat', 'state-timeline']).toContain(type);
      expect(description, title).toMatch(/^[A-Z0-9].*\.$/);
      expect(UNITS, title).toContain(fieldConfig?.defaults.unit);
    }
  });

  it('takes its Prometheus from a variable', () => {
    const [first] = board.templating.list;
    expect(first).toMatchObject({ name: 'datasource', type: 'datasource', query: 'prometheus' });
    const uidsUsed = [...JSON.stringify(board).matchAll(/"type":"prometheus","uid":"([^"]*)"/g)];
    expect(uidsUsed.length).toBeGreaterThan(board.panels.length);
    expect(new Set(uidsUsed.map((match) => match[1]))).toEqual(new Set(['$' + '{datasource}']));
  });

  it('uses variables that it has', () => {
    const known = new Set(board.templating.list.map((variable) => variable.name));
    const used = [...JSON.stringify(board).matchAll(/\$\{?([a-z]+)\}?/g)].map((match) => match[1]!);
    expect(used.filter((variable) => !known.has(variable))).toEqual([]);
    expect([...known].filter((variable) => !used.includes(variable))).toEqual([]);
  });

  it('names in a legend only labels that the expression keeps', () => {
    for (const { targets = [], title } of board.panels)
      for (const { expr, legendFormat } of targets) {
        const kept = taken(expr).labels;
        const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]);
        expect(
          shown.filter((label) => !kept.includes(label!)),
          title,
        ).toEqual([]);
      }
  });

  it.skipIf(!hasTools('promtool'))('has expressions that Prometheus can read', async () => {
    const read = (exprs: readonly string[]) => {
      const rules = exprs.map((expr, index) => ({ record: `panel:${index}`, expr }));
      return withFile(stringify({ groups: [{ name, rules }] }), (path) => {
        const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', path], {
          encoding: 'utf8',
        });
        return { status, output: stdout + stderr };
      });
    };
    expect(await read(expressions(board))).toMatchObject({ status: 0 });
    expect(await read([`${expressions(board)[0]} ) by`])).toMatchObject({ status: 1 });
  });
});

it('variables are filled in as Grafana would', () => {
  expect(filledIn('rate(a{job="$service"}[$__rate_interval])')).toBe('rate(a{job="x"}[2m])');
});
