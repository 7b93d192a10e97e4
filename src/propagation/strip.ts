/** What is ours, taken out of fields that others write into as well. What is theirs keeps its order and its bytes. */

/** Key of our baggage members, up to the experiment's name. */
const MEMBER = /^[ \t]*fairlead\./;

/** Whether a baggage has members of ours. */
export function hasOwnBaggage(baggage: string): boolean {
  return baggage.includes('fairlead.') && baggage.split(',').some((member) => MEMBER.test(member));
}

/** The baggage without our members; '' when nothing is left. */
export function withoutOwnBaggage(baggage: string): string {
  const rest = baggage.split(',').filter((member) => !MEMBER.test(member));
  return rest.join(',').trim();
}

/** The value of Cookie fields (several of them joined with "; ") without the cookies of these names; '' when none is left. */
export function withoutCookies(cookies: string, names: readonly string[]): string {
  const rest = cookies.split(';').filter((pair) => !names.includes(nameOf(pair)));
  return rest.join(';').trim();
}

function nameOf(pair: string): string {
  const equals = pair.indexOf('=');
  return (equals < 0 ? pair : pair.slice(0, equals)).trim();
}
