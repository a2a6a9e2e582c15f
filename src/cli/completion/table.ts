import type { Command, Completion, Option } from "../command.js";

/** An option of a command, as shells need it. */
export interface ShellOption {
  /** `--url`, and `-u` where there is one. */
  flags: readonly string[];
  takesValue: boolean;
  isRepeatable: boolean;
  /** What stands for the value. */
  value: string;
  help: string;
  completion: Completion | undefined;
}

/** The options of a command, `--help` among them. */
export function shellOptions(command: Command): ShellOption[] {
  const all: [string, Option][] = [
    ...Object.entries(command.options),
    ["help", { type: "boolean", short: "h", help: "say how to use it" }],
  ];
  return all.map(([name, { type, short, multiple = false, value = "VALUE", help, completion }]) => ({
    flags: [`--${name}`, ...(short === undefined ? [] : [`-${short}`])],
    takesValue: type === "string",
    isRepeatable: multiple,
    value,
    help: help.replace(/\s+/g, " "),
    completion,
  }));
}

/** All flags of options that take a value. */
export function flagsWithValue(command: Command): string[] {
  return shellOptions(command).flatMap(({ takesValue, flags }) => (takesValue ? flags : []));
}

/** A text in single quotes, as POSIX shells read it. */
export function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
