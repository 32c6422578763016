/** Messages about a wrong command line, instead of those of yargs. */
import { UsageError } from "../errors.js";

/** What was known of the command line when yargs found an error in it. */
export interface CommandLine {
  /** The command and its positional arguments, "mount <image> <mount-point>"; undefined if none was recognised. */
  readonly command: string | undefined;
  readonly args: readonly string[];
  /** What yargs has parsed; false if it has not parsed anything yet. */
  readonly parsed: Parsed | false;
  /** Hint for an argument that the command does not take. */
  readonly hint?: string;
}

interface Parsed {
  readonly argv: Readonly<Record<string, unknown>>;
  /** By option, its other names. Has options with dashes that are not declared, too. */
  readonly aliases: Readonly<Record<string, string[]>>;
  /** The names that yargs has made up itself: "allowDir" for the declared "allow-dir", both for an option that is not declared. */
  readonly newAliases: Readonly<Record<string, boolean>>;
}

/** Each message of yargs (locales/en.json, version 18) with the function that returns ours. */
const TRANSLATIONS: readonly [RegExp, (line: CommandLine, ...found: string[]) => string][] = [
  [/^Not enough non-option arguments: got (\d+)/, missingArguments],
  [/^Too many non-option arguments: got (\d+), maximum of (\d+)/, tooManyArguments],
  [/^Unknown (?:argument|command)s?: (.*)$/s, unknownWords],
  [/^Did you mean (.*)\?$/, (line, similar) => `${unknownCommand(line)}; did you mean ${similar}?`],
  [/^Not enough arguments following: (.*)$/, (_, option) => `${dashed(option)} needs a value`],
  [/^Invalid values:\s*(.*)$/s, (_, lines) => lines.replaceAll(CHOICE, wrongChoice)],
];

/** Returns the error for a wrong command line of which yargs says `message`. */
export function usageError(message: string, line: CommandLine): UsageError {
  const unknown = unknownOptions(line);
  if (unknown.length > 0 && !OF_VALUES.test(message)) return new UsageError(unknownOption(unknown));
  for (const [pattern, translate] of TRANSLATIONS) {
    const [found, ...parts] = pattern.exec(message) ?? [];
    if (found !== undefined) return new UsageError(translate(line, ...parts));
  }
  return new UsageError(message);
}

/** Messages that an unknown option does not explain. It explains missing arguments, since it may have taken them as its value. */
const OF_VALUES = /^(?!Not enough non-option|Too many|Unknown|Did you mean|Which command)/;

/** Returns `error` with where the options of `command` are described, unless it says so already. */
export function withHelpHint({ message }: Error, program: string, command?: string): UsageError {
  if (message.includes("--help")) return new UsageError(message);
  const name = command === undefined ? program : `${program} ${nameOf(command)}`;
  return new UsageError(
    message.endsWith("?") ? `${message} See ${name} --help` : `${message}; see ${name} --help`,
  );
}

/** `mount` of "mount <image> <mount-point>". */
export function nameOf(command: string): string {
  return command.split(" ", 1)[0]!;
}

function missingArguments({ command = "" }: CommandLine, given: string): string {
  const needed = [...command.matchAll(/<([^.>]+)(?:\.\.)?>/g)].map(([, name]) => name!.toUpperCase());
  const missing = needed.slice(Number(given));
  if (missing.length === 0) return "arguments are missing";
  return `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing`;
}

function tooManyArguments(_: CommandLine, given: string, taken: string): string {
  return `too many arguments: ${given} given, at most ${taken} taken`;
}

function unknownWords(line: CommandLine, words: string): string {
  if (line.command === undefined) return unknownCommand(line);
  return `unexpected argument: ${words}${line.hint === undefined ? "" : `; ${line.hint}`}`;
}

function unknownCommand({ parsed }: CommandLine): string {
  const [word] = (parsed === false ? undefined : (parsed.argv["_"] as unknown[])) ?? [];
  return `there is no command ${JSON.stringify(word ?? "")}`;
}

function unknownOption(names: readonly string[]): string {
  return `unknown ${names.length === 1 ? "option" : "options"} ${names.join(", ")}`;
}

/** The options that are not declared, as they were typed. yargs also stores "foo-bar" as "fooBar". */
function unknownOptions({ parsed, args }: CommandLine): string[] {
  if (parsed === false) return [];
  const { argv, aliases, newAliases } = parsed;
  const isDeclared = (name: string): boolean =>
    Object.hasOwn(aliases, name) && [name, ...aliases[name]!].some((each) => newAliases[each] !== true);
  const names = Object.keys(argv).filter((name) => !["_", "$0", "--"].includes(name) && !isDeclared(name));
  const inCamelCase = new Set(names.filter((name) => name.includes("-")).map(camelCase));
  return names
    .filter((name) => !inCamelCase.has(name))
    .map((name) => (args.includes(`--no-${name}`) ? `--no-${name}` : dashed(name)));
}

function camelCase(name: string): string {
  return name.replaceAll(/-+(.)/g, (_, letter: string) => letter.toUpperCase());
}

function dashed(option: string): string {
  return option.length === 1 ? `-${option}` : `--${option}`;
}

/** A line of yargs' message: `Argument: log-level, Given: "loud", Choices: "fatal", "error"`. */
const CHOICE = /^ *Argument: (\S+), Given: (.*), Choices: (.*)$/gm;

function wrongChoice(_: string, option: string, given: string, choices: string): string {
  return `${dashed(option)} ${given.replaceAll('"', "")}: unknown value; use ${choices.replaceAll('"', "")}`;
}
