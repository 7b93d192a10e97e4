/**
 * `fairlead schema`: the JSON Schema of the configuration file, or with `markdown` the reference made from it.
 * `config/fairlead.schema.json` and `config/reference.md` are its output; a test compares them.
 */
import { referenceMarkdown } from '../config/reference.ts';
import { configJsonSchema } from '../config/schema.ts';
import { Exit, type Io } from './io.ts';

export interface SchemaOptions {
  readonly output: 'json' | 'markdown';
}

export function schemaCommand(io: Io, options: SchemaOptions = { output: 'json' }): number {
  io.out(
    options.output === 'json' ? `${JSON.stringify(configJsonSchema(), null, 2)}\n` : referenceMarkdown(),
  );
  return Exit.ok;
}
