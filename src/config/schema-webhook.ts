/** The part of the configuration schema that describes webhooks: who is told of what breakers do. */
import { z } from 'zod';
import { NAME_HELP, NAME_PATTERN, name, positiveDuration, text } from './schema-values.ts';

export const WEBHOOK_EVENTS = [
  'breaker.opened',
  'breaker.closed',
  'experiment.killed',
  'rollout.moved',
] as const;

export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

const webhook = z
  .strictObject({
    name: name(NAME_PATTERN, NAME_HELP).describe('For logs and metrics; unique.'),
    url: text(4096)
      .refine(isHttp, 'expected a URL that begins with https:// or http://, without a user')
      .describe('Where the news is posted. Only its host is shown by the admin API.'),
    events: z
      .array(z.enum(WEBHOOK_EVENTS))
      .prefault([...WEBHOOK_EVENTS])
      .describe('What it is told of; []: only what a rollout asks it. Default: everything.'),
    secret: text(1024).optional().describe('Key that the news is signed with. Prefer secretFile.'),
    secretFile: text(4096).optional().describe('File that holds the secret.'),
    timeout: positiveDuration().prefault('5s').describe('Of one attempt.'),
  })
  .superRefine(({ secret, secretFile }, context) => {
    if ((secret === undefined) === (secretFile === undefined))
      context.addIssue({ code: 'custom', message: 'give a secret or a secretFile, one of the two' });
  });

export const webhooksSchema = z
  .array(webhook)
  .max(10)
  .prefault([])
  .describe('Told, with a signature, when breakers open and close and experiments are killed.');

export type WebhookConfig = z.output<typeof webhook>;

function isHttp(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, username, password } = new URL(url);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}
