/** Short options with their values, as libfuse's parser accepts them. */

/**
 * Returns `args` with values separated from their short options: `-oallow_other` becomes `-o allow_other`, and `-lviUUID`
 * becomes `-lvi UUID`. yargs would take each letter for an option.
 */
export function splitShortOptions(args: readonly string[]): string[] {
  return args.flatMap((arg) => {
    const [, option, value] = /^(-[lgvw]*[io])([^=].*)$/s.exec(arg) ?? [];
    return option === undefined || value === undefined ? [arg] : [option, value];
  });
}
