/** What mirroring has found in all workers together, asked of each. */
import { type MirrorView, mergeMirrors } from '../telemetry/mirror-view.ts';
import type { WorkerLink } from './link.ts';

/** Never rejects: one that has not answered in `timeoutMs` is left out. */
export async function askMirrors(
  links: readonly Pick<WorkerLink, 'ask'>[],
  timeoutMs: number,
): Promise<readonly MirrorView[]> {
  const answers = await Promise.all(links.map((link) => link.ask('mirrors', timeoutMs)));
  return mergeMirrors(answers.flatMap((answer) => answer?.mirrors ?? []));
}
