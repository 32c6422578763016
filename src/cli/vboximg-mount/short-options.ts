/** Short options as libfuse's parser takes them. */

/**
 * `args` with a value that sticks to its option moved behind it: `-oallow_other` is `-o allow_other`, and `-lviUUID`
 * is `-lvi UUID`. yargs takes such letters for as many options.
 */
export function splitShortOptions(args: readonly string[]): string[] {
  return args.flatMap((arg) => {
    const [, option, value] = /^(-[lgvw]*[io])([^=].*)$/s.exec(arg) ?? [];
    return option === undefined || value === undefined ? [arg] : [option, value];
  });
}
