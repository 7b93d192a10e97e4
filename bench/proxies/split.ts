/**
 * The job that every proxy of the benchmark does: by the hash of x-user-id, 10 % of the users go to the second
 * upstream, and the request carries which variant it is. Murmur, as Fairlead has it, so that nobody hashes cheaper.
 */
import murmur from 'murmurhash3js-revisited';

export const CONTROL_PORT = 9401;
export const CANDIDATE_PORT = 9402;
const CANDIDATE_SHARE = 0.1;

/** The variant of a user and the port its requests go to. */
export function split(userId: string | undefined): { variant: 'control' | 'candidate'; port: number } {
  const hash = murmur.x86.hash32(Buffer.from(`ranking-1\0variant\0${userId ?? ''}`));
  return hash < CANDIDATE_SHARE * 2 ** 32
    ? { variant: 'candidate', port: CANDIDATE_PORT }
    : { variant: 'control', port: CONTROL_PORT };
}
