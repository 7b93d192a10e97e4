/**
 * What do signed tokens cost a request? Nanoseconds a call, best of ten rounds, since noise only ever adds.
 * Run: npm exec -c 'node bench/micro/tokens.ts'
 */
import { generateKeyPairSync } from 'node:crypto';
import { type TokenKey, tokenKey } from '../../src/propagation/token-key.ts';
import { TokenSigner } from '../../src/propagation/token-signer.ts';
import { FailureBudget, TokenVerifier, VerifiedToken } from '../../src/propagation/token-verifier.ts';

const ROUNDS = 10;
const WALL_MS = 1_800_000_000_000;

function nanoseconds(calls: number, call: (n: number) => void): string {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let n = 0; n < calls; n++) call(round * calls + n);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / calls);
  }
  return `${best.toFixed(0)} ns`;
}

function measure(name: string, key: TokenKey, calls: number): void {
  const settings = { keys: [key], ttlS: 3600, skewS: 30 };
  const signer = new TokenSigner(settings);
  const assignment = (unit: string) => [{ experiment: 'checkout', variant: 'candidate', epoch: 1, unit }];
  const at = { wallMs: WALL_MS, nowMs: 0, budget: new FailureBudget() };
  const tokens = Array.from({ length: calls }, (_, n) => signer.sign(assignment(`user-${n}`), WALL_MS)!);
  const known = new TokenVerifier(settings, 'shop');
  const verify = (verifier: TokenVerifier, token: string, unit: string): void => {
    const found = verifier.verify(token, 'context', at);
    if (!(found instanceof VerifiedToken) || !found.isUnit(found.claims.entries[0]!.unit, unit))
      throw new Error('refused');
  };
  const rows = {
    'sign, a new user': nanoseconds(calls, (n) => signer.sign(assignment(`new-${n}`), WALL_MS)),
    'sign, one of 1,000 users': nanoseconds(calls, (n) =>
      signer.sign(assignment(`user-${n % 1000}`), WALL_MS),
    ),
    'verify, a new token': nanoseconds(calls, (n) => {
      const fresh = n % calls === 0 ? new TokenVerifier(settings, 'shop') : current;
      current = fresh;
      verify(fresh, tokens[n % calls]!, `user-${n % calls}`);
    }),
    'verify, one of 1,000 tokens': nanoseconds(calls, (n) =>
      verify(known, tokens[n % 1000]!, `user-${n % 1000}`),
    ),
    'refuse a forged one': nanoseconds(calls, (n) => {
      known.verify(`${tokens[n % calls]!.slice(0, -6)}AAAAAA`, 'context', {
        ...at,
        budget: new FailureBudget(),
      });
    }),
  };
  for (const [what, cost] of Object.entries(rows)) process.stdout.write(`${name}: ${what}: ${cost}\n`);
}

let current = new TokenVerifier({ keys: [], skewS: 0 }, 'shop');
const secret = tokenKey('k', { kind: 'secret', text: '0123456789abcdef0123456789abcdef' });
const { privateKey } = generateKeyPairSync('ed25519');
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
measure('HMAC-SHA-256', secret, 20_000);
measure('Ed25519', tokenKey('k', { kind: 'private', text: pem }), 2_000);
process.stdout.write(
  `a token of one experiment: ${new TokenSigner({ keys: [secret], ttlS: 3600 }).sign([{ experiment: 'checkout', variant: 'candidate', epoch: 1, unit: 'user-1' }], WALL_MS)!.length} bytes\n`,
);
