import type { Command, Completion } from "../command.js";
import { flagsWithValue, type ShellOption, shellOptions } from "./table.js";

/** A script for fish, from 3.0 on. */
export function fishCompletion(commands: readonly Command[]): string {
  return [
    "# Completion of agentwire for fish: have it as agentwire.fish in ~/.config/fish/completions.",
    "function __agentwire_valued",
    "    switch $argv[1]",
    ...commands.flatMap((command) => [
      `        case ${command.name}`,
      `            string split ' ' -- ${quoted(flagsWithValue(command).join(" "))}`,
    ]),
    "    end",
    "end",
    "",
    "# whether no command has been written yet",
    "function __agentwire_none",
    "    test (count (commandline -opc)) -eq 1",
    "end",
    "",
    "# whether a command has been written, and so many arguments after it where a number is given (1+: some)",
    "function __agentwire_in",
    "    set -l tokens (commandline -opc)",
    '    test "$tokens[2]" = "$argv[1]"; or return 1',
    "    set -q argv[2]; or return 0",
    "    set -l valued (__agentwire_valued $argv[1])",
    "    set -l position 0",
    "    set -l is_value no",
    "    for token in $tokens[3..-1]",
    "        if test $is_value = yes",
    "            set is_value no",
    '        else if contains -- "$token" $valued',
    "            set is_value yes",
    "        else if not string match -q -- '-?*' \"$token\"",
    "            set position (math $position + 1)",
    "        end",
    "    end",
    "    test $is_value = no; or return 1",
    "    if test $argv[2] = 0",
    "        test $position -eq 0",
    "    else",
    "        test $position -gt 0",
    "    end",
    "end",
    "",
    "complete -c agentwire -f",
    "complete -c agentwire -n __agentwire_none -s h -l help -d 'say how to use it'",
    "complete -c agentwire -n __agentwire_none -s v -l version -d 'print the version'",
    ...commands.flatMap(commandLines),
    "",
  ].join("\n");
}

function commandLines(command: Command): string[] {
  const { name, summary, completion = {} } = command;
  const { first, rest } = completion;
  return [
    `complete -c agentwire -n __agentwire_none -a ${name} -d ${quoted(summary)}`,
    ...shellOptions(command).map((option) => optionLine(name, option)),
    ...(first === undefined ? [] : [positionLine(`${name} 0`, first)]),
    ...(rest === undefined ? [] : [positionLine(`${name} 1+`, rest)]),
  ];
}

function optionLine(command: string, { flags, takesValue, completion, help }: ShellOption): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const value = takesValue ? ` ${valueSpec(completion)}` : "";
  return `complete -c agentwire -n '__agentwire_in ${command}' ${names.join(" ")}${value} -d ${quoted(help)}`;
}

function positionLine(condition: string, completion: Completion): string {
  const words = typeof completion === "string" ? "-F" : `-a ${quoted(completion.join(" "))}`;
  return `complete -c agentwire -n '__agentwire_in ${condition}' ${words}`;
}

function valueSpec(completion: Completion | undefined): string {
  if (completion === undefined) return "-x";
  if (completion === "file") return "-r -F";
  if (completion === "directory") return "-x -a '(__fish_complete_directories)'";
  return `-x -a ${quoted(completion.join(" "))}`;
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
