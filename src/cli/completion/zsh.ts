import type { Command, Completion } from "../command.js";
import { type ShellOption, shellOptions, singleQuoted } from "./table.js";

/** A script for zsh: to be sourced after `compinit`, or as the file `_agentwire` in a directory of `fpath`. */
export function zshCompletion(commands: readonly Command[]): string {
  return [
    "#compdef agentwire",
    "# Completion of agentwire for zsh: source it after compinit, or have it as _agentwire in a directory of fpath.",
    "_agentwire() {",
    "  local -a commands",
    "  commands=(",
    ...commands.map(
      ({ name, summary }) => `    ${singleQuoted(`${name}:${summary.replaceAll(":", "\\:")}`)}`,
    ),
    "  )",
    "  if (( CURRENT == 2 )); then",
    "    _describe -t commands command commands",
    "    compadd -- --help --version",
    "    return",
    "  fi",
    `  local command=\${words[2]}`,
    "  # the command stands for the program from here on",
    "  shift words",
    "  (( CURRENT-- ))",
    "  case $command in",
    ...commands.flatMap(commandLines),
    "  esac",
    "}",
    "",
    `if [[ \${funcstack[1]} == _agentwire ]]; then`,
    '  _agentwire "$@"',
    "else",
    "  compdef _agentwire agentwire",
    "fi",
    "",
  ].join("\n");
}

function commandLines(command: Command): string[] {
  const { first, rest } = command.completion ?? {};
  const specs = [
    ...shellOptions(command).flatMap(optionSpecs),
    ...(first === undefined ? [] : [`1:argument:${actionOf(first)}`]),
    ...(rest === undefined ? [] : [`*:argument:${actionOf(rest)}`]),
  ];
  const lines = specs.map((spec) => `        ${singleQuoted(spec)}`);
  return [`    ${command.name})`, "      _arguments \\", `${lines.join(" \\\n")} ;;`];
}

function optionSpecs({ flags, takesValue, isRepeatable, value, help, completion }: ShellOption): string[] {
  return flags.map((flag) => {
    const name = `${isRepeatable ? "*" : ""}${flag}${takesValue && flag.startsWith("--") ? "=" : ""}`;
    const message = value.replaceAll(":", "\\:");
    const argument = takesValue ? `:${message}:${completion === undefined ? "" : actionOf(completion)}` : "";
    return `${name}[${help.replace(/[[\]:\\]/g, "\\$&")}]${argument}`;
  });
}

function actionOf(completion: Completion): string {
  if (completion === "file") return "_files";
  if (completion === "directory") return "_files -/";
  return `(${completion.join(" ")})`;
}
