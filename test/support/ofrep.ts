/** Flags asked for over OFREP, of the admin API of `admin.ts`, whose experiment is `ranking`. */
import type { InjectOptions } from 'fastify';
import { expect } from 'vitest';
import { type AdminBench, configWith } from './admin.ts';

export const FLAG = '/ofrep/v1/evaluate/flags/ranking';
export const ALL = '/ofrep/v1/evaluate/flags';

/** A user of the candidate and one of the control, by targeting key. */
export const CANDIDATE = 'u-3';
export const CONTROL = 'u-1';

export interface Answered {
  readonly status: number;
  readonly body: {
    readonly [member: string]: unknown;
    readonly metadata?: Readonly<Record<string, unknown>>;
    readonly flags?: readonly Answered['body'][];
  };
  readonly etag: string;
}

export async function post(
  { app }: AdminBench,
  url: string,
  payload: object | string,
  more: InjectOptions['headers'] = {},
): Promise<Answered> {
  const reply = await app.inject({
    method: 'POST',
    url,
    headers: { host: 'localhost', 'content-type': 'application/json', ...more },
    payload,
  });
  const body = reply.body === '' ? {} : reply.json();
  return { status: reply.statusCode, body, etag: String(reply.headers.etag) };
}

/** The experiment with other lines; its variants are control, candidate (10 %) and other (5 %). */
export async function configure({ writeConfig, control }: AdminBench, ...lines: string[]): Promise<void> {
  const all = ['salt: ranking-1', ...lines].map((line) => `    ${line}\n`);
  writeConfig(configWith('    salt: ranking-1\n', all.join('')));
  expect(await control.reload('signal')).toMatchObject({ ok: true });
}
