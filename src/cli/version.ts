/**
 * `fairlead version`: which build this is. `buildInfo` is also what the metrics and the admin API report.
 */
import packageJson from '../../package.json' with { type: 'json' };
import { Exit, type Io } from './io.ts';

export interface BuildInfo {
  readonly version: string;
  /** Of the Node that runs, without the leading v. */
  readonly node: string;
}

/** The version of this build and of the Node it runs on. */
export function buildInfo(): BuildInfo {
  return { version: packageJson.version, node: process.versions.node };
}

/** Prints one line, or JSON with `output: 'json'`. */
export function versionCommand(options: { output: 'text' | 'json' }, io: Io): number {
  const build = buildInfo();
  if (options.output === 'json') {
    io.out(`${JSON.stringify({ ...build, platform: `${process.platform}-${process.arch}` })}\n`);
  } else {
    io.out(`fairlead ${build.version} (node ${build.node}, ${process.platform}-${process.arch})\n`);
  }
  return Exit.ok;
}
