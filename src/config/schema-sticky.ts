/** The part of the configuration schema that makes assignments sticky. */
import { z } from 'zod';
import { cookieName, headerName, longDuration, text } from './schema-values.ts';

const COOKIE = 'fairlead_sticky';

const bucketVersion = () => z.int().min(1).max(999_999_999);

export const stickySchema = z
  .strictObject({
    cookie: cookieName()
      .optional()
      .describe(`Cookie that the client keeps it in. Default: ${COOKIE}, unless header is given.`),
    header: headerName()
      .optional()
      .describe(
        'For clients without cookies: header of the response, which they send back with each request.',
      ),
    ttl: longDuration()
      .prefault('30d')
      .describe('How long it holds; who comes back in the second half gets it for as long again.'),
    bucketVersion: bucketVersion().prefault(1).describe('Is given out with each assignment.'),
    minBucketVersion: bucketVersion()
      .prefault(1)
      .describe('Assignments with a lower bucketVersion are made anew.'),
    sameSite: z.enum(['lax', 'strict', 'none']).prefault('lax').describe('SameSite of the cookie.'),
    secure: z
      .boolean()
      .prefault(true)
      .describe('Secure of the cookie: browsers send it over https only (and to localhost).'),
    path: text(1024)
      .regex(/^\/[\x21-\x3a\x3c-\x7e]*$/, 'a path of a cookie begins with / and has no ; in it')
      .prefault('/')
      .describe('Path of the cookie.'),
    domain: text(253)
      .regex(/^\.?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/, 'this is no domain; write for example example.com')
      .optional()
      .describe('Domain of the cookie. Default: the host alone that gave it out.'),
  })
  .superRefine(({ cookie, header, sameSite, secure, bucketVersion: now, minBucketVersion }, context) => {
    const say = (message: string): void => context.addIssue({ code: 'custom', message });
    if (cookie !== undefined && header !== undefined) say('cookie and header are both given; keep one');
    if (sameSite === 'none' && !secure && header === undefined)
      say('sameSite none without secure: browsers drop such a cookie');
    if (minBucketVersion > now)
      say(
        `minBucketVersion ${minBucketVersion} is above bucketVersion ${now}, so that nothing would ever be kept`,
      );
  })
  .transform(({ cookie, header, ...rest }) => ({
    ...rest,
    place:
      header === undefined
        ? ({ kind: 'cookie', name: cookie ?? COOKIE } as const)
        : ({ kind: 'header', name: header } as const),
  }))
  .describe('Clients keep their variant when their unit changes. Needs stickyKeys.');

export type StickyConfig = z.output<typeof stickySchema>;
