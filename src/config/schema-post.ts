/** The keys of everything that is posted to somebody by HTTP. */
import { z } from 'zod';
import { headerName, positiveDuration, text } from './schema-values.ts';

/** An absolute URL without a user. */
export const url = () =>
  text(4096).refine(isHttp, 'expected a URL that begins with https:// or http://, without a user');

/** Who we are, to who asks, and how it is sent. */
export const posting = {
  token: text(4096).optional().describe('Sent as a bearer token. Prefer tokenFile.'),
  tokenFile: text(4096).optional().describe('File that holds the token.'),
  tokenHeader: headerName()
    .optional()
    .describe('Field that the token is sent in, as it is. Default: authorization, after `Bearer`.'),
  gzip: z.boolean().prefault(false).describe('Compress what is sent.'),
  timeout: positiveDuration().prefault('10s').describe('Of one attempt.'),
};

function isHttp(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}
