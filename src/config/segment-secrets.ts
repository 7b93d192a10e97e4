/** Segments as they may be shown, and as they go into the hash of a configuration. Pure. */
import type { Config } from './schema.ts';
import type { SegmentConfig } from './schema-segment.ts';

/**
 * A copy without keys and without the table of hashed ids, for which the hash of the file stands.
 * @param replacement In place of a key and of the ids that are written out; undefined leaves the key out and the ids in.
 */
export function withoutSegmentSecrets(config: Config, replacement: string | undefined): Config {
  const segments = Object.entries(config.segments).map(([name, segment]): [string, SegmentConfig] => {
    const { key, values, hashedFile } = segment;
    return [
      name,
      {
        ...segment,
        key: key === undefined ? undefined : replacement,
        values: values === undefined || replacement === undefined ? values : [replacement],
        hashedFile: hashedFile === undefined ? undefined : { ...hashedFile, ids: null },
      },
    ];
  });
  return { ...config, segments: Object.fromEntries(segments) };
}
