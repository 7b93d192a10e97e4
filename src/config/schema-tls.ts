/**
 * The part of the configuration schema that describes TLS. Certificates and keys are files: the schema takes their
 * names, `control/` reads them into the same object. There is no way to say "do not verify".
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { text } from './schema-values.ts';

/** A PEM file: its name as declared, and what is in it once it has been read; '' before. Never shown or hashed. */
export interface PemFile {
  readonly file: string;
  readonly pem: string;
}

/** Somebody who writes the key itself here must not find it in a log because there is no such file. */
const pemFile = () =>
  text(4096)
    .refine((value) => !/-----BEGIN|[\r\n]/.test(value), {
      error: 'this is no file name; write the PEM into a file of its own and its path here',
    })
    .transform((file): PemFile => ({ file, pem: '' }));

const certificateFile = () =>
  pemFile().describe('PEM file: the certificate, then the intermediate ones it is signed with.');
const keyFile = () => pemFile().describe('PEM file: the private key of the certificate, not encrypted.');

const minVersion = z
  .enum(['1.2', '1.3'])
  .prefault('1.2')
  .describe('The oldest version of TLS that is spoken.');

export const listenerTlsSchema = z
  .strictObject({
    certificate: certificateFile(),
    key: keyFile(),
    sni: z
      .array(z.strictObject({ certificate: certificateFile(), key: keyFile() }))
      .max(100)
      .prefault([])
      .describe('More certificates: the one that covers the name the client asks for is shown.'),
    minVersion,
    clientCertificate: z
      .enum(['off', 'optional', 'required'])
      .prefault('off')
      .describe('Whether clients show one. One that is shown must be valid, also when it is optional.'),
    clientCa: pemFile()
      .optional()
      .describe('PEM file: the authorities that sign client certificates. Needed to ask for one.'),
  })
  .describe('Speak TLS. Its files are read again when they change.');

/** SNI and the certificate check take names; for an address there is the endpoint's own. */
const serverName = () =>
  text(253)
    .refine((value) => /^[A-Za-z0-9_.-]+$/.test(value) && isIP(value) === 0, {
      error: (issue) => `${JSON.stringify(issue.input)} is no host name`,
    })
    .transform((value) => value.toLowerCase());

const upstreamTls = z.strictObject({
  ca: pemFile()
    .optional()
    .describe('PEM file: the authorities that sign its certificate. Default: those that Node brings.'),
  serverName: serverName()
    .optional()
    .describe(
      'The name that is asked for and that its certificate must cover. Default: the host of the endpoint.',
    ),
  subjectAltNames: z
    .array(text(1024))
    .min(1)
    .max(100)
    .optional()
    .describe(
      'Its certificate must have one of these, exactly: spiffe://..., a DNS name or an address. In place of the server name.',
    ),
  certificate: certificateFile().optional(),
  key: keyFile().optional(),
  minVersion,
});

export const upstreamTlsSchema = z
  .union([z.literal(true), upstreamTls])
  .transform((value): UpstreamTlsConfig => (value === true ? { minVersion: '1.2' } : value))
  .describe(
    'Speak TLS to its endpoints; true: with the defaults. Its files are read again when they change.',
  );

export type ListenerTlsConfig = z.output<typeof listenerTlsSchema>;
export type UpstreamTlsConfig = z.output<typeof upstreamTls>;
