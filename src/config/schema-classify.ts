/** The shape of what is kept out of experiments since it is nobody's request: health checks, synthetic traffic, bots. */
import { z } from 'zod';
import { combined } from '../experiment/traffic-class.ts';
import { headerName, readString, text } from './schema-values.ts';
import type { Parsed } from './units.ts';

const PATTERNS_MAX = 100;

const agentPattern = () =>
  readString(
    (pattern): Parsed<string> => {
      if (pattern === '' || pattern.length > 200)
        return { ok: false, problem: `found a pattern of ${pattern.length} characters; expected 1 to 200` };
      try {
        combined([pattern]);
        return { ok: true, value: pattern };
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        return { ok: false, problem: `pattern is not RE2: ${problem}` };
      }
    },
    'a pattern such as acme-monitor',
    null,
  );

const healthPath = () =>
  text(1024).regex(/^\/(?:[^?#*]*|(?:[^?#*]*\/)?\*)$/, {
    error: 'expected a path such as /healthz, or /health/* for all below it',
  });

export const classifySchema = z
  .strictObject({
    healthChecks: z
      .strictObject({
        known: z
          .boolean()
          .prefault(true)
          .describe(
            'By the user agents of kubelets, load balancers and the like; see docs/excluded-traffic.md.',
          ),
        userAgents: z
          .array(text(200))
          .max(PATTERNS_MAX)
          .prefault([])
          .describe('How the user agent of a health check begins, as it is written.'),
        paths: z
          .array(healthPath())
          .max(PATTERNS_MAX)
          .prefault([])
          .describe('Requests of these paths are health checks, whoever sends them: /healthz, /health/*.'),
      })
      .prefault({})
      .describe('Requests that ask whether the service lives.'),
    bots: z
      .strictObject({
        known: z
          .boolean()
          .prefault(false)
          .describe('By the words that crawlers and browsers without a person have in their user agent.'),
        userAgents: z
          .array(agentPattern())
          .max(PATTERNS_MAX)
          .prefault([])
          .describe('RE2 patterns, found anywhere in the user agent, in any case.'),
      })
      .prefault({})
      .describe('Robots that say what they are.'),
    synthetic: z
      .strictObject({
        header: headerName().describe('A request that has this header is synthetic, whatever it says.'),
      })
      .optional()
      .describe('Traffic of tests and monitors, which says so.'),
  })
  .describe('What is kept out of experiments and of their analysis.');

export type ClassifyConfig = z.output<typeof classifySchema>;
