/** The part of semver that `targeting-test.ts` uses; the package ships no types. */
declare module 'semver/classes/range.js' {
  export default class Range {
    /** Throws TypeError for what is no range. */
    constructor(range: string);
    /** The range as semver reads it. */
    readonly range: string;
    /** False for what is no version. */
    test(version: string): boolean;
  }
}
