/** A targeting rule that cannot be compiled. The only thing `compileTargeting` throws. */
export class TargetingError extends Error {
  /** Where in the rule: the key of the test, and the place in its list. */
  readonly path: readonly (string | number)[];

  constructor(path: readonly (string | number)[], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TargetingError';
    this.path = path;
  }
}
