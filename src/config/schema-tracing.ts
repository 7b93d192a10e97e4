/** The part of the configuration schema that says which requests become spans, and where those go. */
import { z } from 'zod';
import { posting, url } from './schema-post.ts';
import { percent } from './schema-values.ts';

export const tracingSchema = z
  .strictObject({
    url: url().describe('Where spans are posted (OTLP, JSON), such as http://127.0.0.1:4318/v1/traces.'),
    sample: percent()
      .prefault('1%')
      .describe('Share of the traces that begin here. Of others, the caller has decided.'),
    ...posting,
  })
  .describe('Spans of requests for OpenTelemetry. Default: none.');

export type TracingConfig = z.output<typeof tracingSchema>;
