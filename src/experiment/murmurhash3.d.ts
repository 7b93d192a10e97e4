/** The part of murmurhash3js-revisited that `bucket.ts` uses; the package ships no types. */
declare module 'murmurhash3js-revisited' {
  interface MurmurHash3 {
    /** Whether each call first checks that every byte is one. */
    inputValidation: boolean;
    readonly x86: {
      /** MurmurHash3_x86_32 of the bytes, as an unsigned 32-bit integer. */
      hash32(bytes: Uint8Array, seed?: number): number;
    };
  }
  const library: MurmurHash3;
  export default library;
}
