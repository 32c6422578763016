/** Lists in error messages. */

/** The most choices that a message lists. */
const LISTED_LIMIT = 12;

/** Joins `choices` for an error message. */
export function choiceList(choices: readonly string[]): string {
  const more = choices.length > LISTED_LIMIT ? [`and ${choices.length - LISTED_LIMIT} more`] : [];
  return [...choices.slice(0, LISTED_LIMIT), ...more].join(", ");
}
