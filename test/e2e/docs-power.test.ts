/** docs/power.md: every command prints what is shown below it, and docs/analysis.md names what there is. */
import { expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { blocks, commands } from '../support/docs.ts';
import { Recorder } from '../support/recorder.ts';

it('docs/power.md shows what its commands print', async () => {
  const typed = (await blocks('docs/power.md', 'sh')).flatMap(commands);
  const shown = await blocks('docs/power.md', 'text');
  expect(typed).toHaveLength(4);
  expect(shown).toHaveLength(typed.length);
  for (const [index, line] of typed.entries()) {
    const io = new Recorder();
    expect(line).toMatch(/^npx fairlead power /);
    expect(await runProgram(line.split(' ').slice(2), io)).toBe(0);
    expect(io.stdout).toBe(shown[index]);
  }
});
