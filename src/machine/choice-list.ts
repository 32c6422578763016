/** Lists in errors and warnings: long enough to choose from, and no longer. */

/** Choices that an error message lists. */
const LISTED_LIMIT = 12;

/** `choices`, as an error message lists them. */
export function choiceList(choices: readonly string[]): string {
  const more = choices.length > LISTED_LIMIT ? [`and ${choices.length - LISTED_LIMIT} more`] : [];
  return [...choices.slice(0, LISTED_LIMIT), ...more].join(", ");
}
