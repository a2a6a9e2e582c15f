import type { Command, Completion } from "../command.js";
import { flagsWithValue, shellOptions, singleQuoted } from "./table.js";

/** A script for bash, from 3.2 on. */
export function bashCompletion(commands: readonly Command[]): string {
  const names = [...commands.map(({ name }) => name), "--help", "--version"];
  return [
    "# Completion of agentwire for bash: source it, for example in ~/.bashrc.",
    "_agentwire_words() {",
    '  COMPREPLY=($(compgen -W "$1" -- "$2"))',
    "}",
    "",
    "_agentwire_files() {",
    "  local IFS=$'\\n'",
    '  COMPREPLY=($(compgen "$1" -- "$2"))',
    "  compopt -o filenames 2>/dev/null",
    "}",
    "",
    "_agentwire() {",
    `  local word="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"`,
    `  local command="\${COMP_WORDS[1]}" options="" valued="" position=0 i`,
    "  COMPREPLY=()",
    "  # bash takes --name=value for three words",
    '  if [[ $word == "=" ]]; then',
    '    word=""',
    '  elif [[ $previous == "=" ]]; then',
    `    previous="\${COMP_WORDS[COMP_CWORD-2]}"`,
    "  fi",
    "  if ((COMP_CWORD == 1)); then",
    `    _agentwire_words ${singleQuoted(names.join(" "))} "$word"`,
    "    return",
    "  fi",
    '  case "$command" in',
    ...commands.flatMap(optionLines),
    "  esac",
    '  case "$command $previous" in',
    ...commands.flatMap(valueLines),
    "  esac",
    '  if [[ " $valued " == *" $previous "* ]]; then return; fi',
    "  if [[ $word == -* ]]; then",
    '    _agentwire_words "$options" "$word"',
    "    return",
    "  fi",
    "  for ((i = 2; i < COMP_CWORD; i++)); do",
    `    case "\${COMP_WORDS[i]}" in`,
    "      -)",
    "        ((position++)) ;;",
    "      -*)",
    `        if [[ " $valued " == *" \${COMP_WORDS[i]} "* ]]; then`,
    "          ((i++))",
    `          if [[ \${COMP_WORDS[i]} == "=" ]]; then ((i++)); fi`,
    "        fi ;;",
    "      *)",
    "        ((position++)) ;;",
    "    esac",
    "  done",
    '  case "$command $position" in',
    ...commands.flatMap(positionLines),
    "  esac",
    "}",
    "",
    "complete -F _agentwire agentwire",
    "",
  ].join("\n");
}

function optionLines(command: Command): string[] {
  const flags = shellOptions(command).flatMap((option) => option.flags);
  return [
    `    ${command.name})`,
    `      options=${singleQuoted(flags.join(" "))}`,
    `      valued=${singleQuoted(flagsWithValue(command).join(" "))} ;;`,
  ];
}

function valueLines(command: Command): string[] {
  return shellOptions(command).flatMap(({ takesValue, flags, completion }) => {
    if (!takesValue || completion === undefined) return [];
    const patterns = flags.map((flag) => singleQuoted(`${command.name} ${flag}`)).join(" | ");
    return offer(patterns, completion);
  });
}

function positionLines({ name, completion = {} }: Command): string[] {
  const { first, rest } = completion;
  return [
    ...(first === undefined ? [] : offer(singleQuoted(`${name} 0`), first)),
    ...(rest === undefined ? [] : offer(`${singleQuoted(`${name} `)}[1-9]*`, rest)),
  ];
}

function offer(pattern: string, completion: Completion): string[] {
  return [`    ${pattern})`, `      ${actionOf(completion)}`, "      return ;;"];
}

function actionOf(completion: Completion): string {
  if (completion === "file") return '_agentwire_files -f "$word"';
  if (completion === "directory") return '_agentwire_files -d "$word"';
  return `_agentwire_words ${singleQuoted(completion.join(" "))} "$word"`;
}
