/** Values of options, from text to what they are. */
import { InvalidArgumentError } from 'commander';

/** @throws InvalidArgumentError for what is no whole number from 1 */
export function toCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new InvalidArgumentError('It must be a whole number above 0.');
  return count;
}
