import type { Readable, Writable } from "node:stream";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { errorText } from "../rpc/error-text.js";

/** Where a command reads and writes; a test gives its own. */
export interface Terminal {
  stdin: Readable;
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean };
  env: Readonly<Record<string, string | undefined>>;
  /** Ends when somebody wants the command to end (Ctrl-C). */
  signal: AbortSignal;
}

/** What a shell may put in some place: files, directories, or one of some words. */
export type Completion = "file" | "directory" | readonly string[];

/** An option of a command. */
export interface Option {
  type: "string" | "boolean";
  multiple?: boolean;
  short?: string;
  /** What stands for the value in the help, such as `URL`. */
  value?: string;
  help: string;
  /** What its value may be; a shell offers nothing without. */
  completion?: Completion;
}

/** The values of options, by name. */
export type OptionValues = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

/** A command of the tool. */
export interface Command {
  name: string;
  /** One line, for the list of commands. */
  summary: string;
  /** What comes after the name, such as `[FILE…]`. */
  usage: string;
  options: Readonly<Record<string, Option>>;
  /** What the first argument may be, and all after it; a shell offers nothing without. */
  completion?: { first?: Completion; rest?: Completion };
  /** Shown at the end of the help. */
  examples: readonly string[];
  /** @returns the exit code. */
  run(values: OptionValues, positionals: readonly string[], terminal: Terminal): Promise<number>;
}

/** The command was called wrongly. The exit code is 2, the text goes to standard error. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** For commands that take options only. @throws UsageError when there is more. */
export function refuseArguments(name: string, positionals: readonly string[]): void {
  if (positionals.length > 0)
    throw new UsageError(`"${positionals[0]}" is too much; see agentwire ${name} --help`);
}

/** Reads the arguments of a command. @throws UsageError for those that it does not have. */
export function parseArguments(command: Command, args: readonly string[]) {
  const options: NonNullable<ParseArgsConfig["options"]> = { help: { type: "boolean", short: "h" } };
  for (const [name, { type, multiple, short }] of Object.entries(command.options)) {
    options[name] = {
      type,
      ...(multiple === undefined ? {} : { multiple }),
      ...(short === undefined ? {} : { short }),
    };
  }
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(errorText(error));
  }
}

/** An option as people write it: `-o, --output FORMAT`. */
export function optionFlag(name: string, { short, value }: Option): string {
  return `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
}

/** The help of one command. */
export function helpOf(command: Command): string {
  const rows = Object.entries(command.options).map(([name, option]) => {
    const flag = `${option.short === undefined ? "    " : ""}${optionFlag(name, option)}`;
    return [flag, option.help] as const;
  });
  const width = Math.max(0, ...rows.map(([flag]) => flag.length)) + 2;
  return [
    `${command.summary}.`,
    "",
    `usage: agentwire ${command.name} ${command.usage}`.trimEnd(),
    ...(rows.length === 0 ? [] : ["", "options:"]),
    ...rows.map(
      ([flag, help]) => `  ${flag.padEnd(width)}${help.replaceAll("\n", `\n  ${" ".repeat(width)}`)}`,
    ),
    "",
    "examples:",
    ...command.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");
}

/** For commands whose output is otherwise for people. */
export const jsonOption = { type: "boolean", help: "print JSON, for programs" } satisfies Option;

/** One line of JSON; on a terminal, where somebody reads it, on several. */
export function writeJson({ stdout }: Pick<Terminal, "stdout">, value: unknown): void {
  stdout.write(`${JSON.stringify(value, null, stdout.isTTY ? 2 : 0)}\n`);
}

/** A text option. */
export function text(values: OptionValues, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

/** A text option that may be given several times. */
function texts(values: OptionValues, name: string): string[] {
  const value = values[name];
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

/** An option that is a whole number above zero. @throws UsageError when it is none. */
export function positiveInteger(values: OptionValues, name: string): number | undefined {
  const value = text(values, name);
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(value))
    throw new UsageError(`--${name} ${value}: must be a whole number above 0`);
  return Number(value);
}

/** Options of the form `name=value`. @throws UsageError for one without `=`. */
export function pairs(values: OptionValues, name: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const pair of texts(values, name)) {
    const at = pair.indexOf("=");
    if (at < 1) throw new UsageError(`--${name} ${pair}: must be name=value`);
    found[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return found;
}
