/**
 * A JWT in the compact form (RFC 7519, RFC 7515 section 3.1), taken apart. Strict: base64url in the one spelling that
 * a sender makes, JSON objects, no critical extensions. Says nothing about who signed it.
 */

/** Longer ones are not read: a head may be larger, and what is read is hashed and kept. */
export const TOKEN_MAX_CHARS = 8192;

export interface Token {
  readonly algorithm: string;
  /** Name of the key it says it is signed with; null: it does not say. */
  readonly keyId: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
  /** What is signed. */
  readonly signed: Buffer;
  readonly signature: Buffer;
}

const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** Null when the text is no such token; `none`, which has no signature, is none. */
export function parseToken(text: string): Token | null {
  const match = COMPACT.exec(text);
  if (match === null) return null;
  const [, head = '', body = '', tail = ''] = match;
  const header = objectOf(head);
  const payload = objectOf(body);
  const signature = bytesOf(tail);
  if (header === null || payload === null || signature === null) return null;
  const { alg, kid, crit } = header;
  // RFC 7515 section 4.1.11: who does not know an extension that is critical must refuse the token.
  if (typeof alg !== 'string' || crit !== undefined) return null;
  if (kid !== undefined && typeof kid !== 'string') return null;
  const signed = Buffer.from(text.slice(0, head.length + 1 + body.length), 'latin1');
  return { algorithm: alg, keyId: kid ?? null, payload, signed, signature };
}

/** Null for what would be written differently: two spellings of one token are one too many. */
function bytesOf(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function objectOf(text: string): Record<string, unknown> | null {
  const bytes = bytesOf(text);
  if (bytes === null) return null;
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
