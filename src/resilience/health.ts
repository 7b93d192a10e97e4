/** Whether an endpoint is well, by checks that are made of it: rise and fall, so that one lost check says nothing. */

export interface HealthThresholds {
  /** Checks in a row that must pass before an endpoint that was not well is used again. */
  readonly rise: number;
  /** Checks in a row that must fail before one that was well is used no more. */
  readonly fall: number;
}

/** Well until checks say otherwise: what has not been checked yet gets requests. */
export class Health {
  isHealthy = true;
  /** Checks in a row that say the opposite of `isHealthy`. */
  against = 0;

  /** Takes the result of a check. Answers whether that changed `isHealthy`. */
  take(isPassed: boolean, { rise, fall }: HealthThresholds): boolean {
    this.against = isPassed === this.isHealthy ? 0 : this.against + 1;
    if (this.against < (this.isHealthy ? fall : rise)) return false;
    this.isHealthy = isPassed;
    this.against = 0;
    return true;
  }
}
