import { type Command, type Option, optionFlag } from "./command.js";
import { exitCodeHelp } from "./exit-codes.js";

/** What is not of one command. */
const environment: readonly (readonly [name: string, meaning: string])[] = [
  ["CODER_AGENT_URL", "stands for --url"],
  ["CODER_AGENT_TOKEN", "stands for --token"],
  ["CODER_AGENT_TOKEN_FILE", "stands for --token-file"],
  ["CODER_AGENT_AUTH", "stands for --auth"],
  ["CODER_AGENT_NAME", "stands for --agent-name"],
  ["CODER_AGENT_SOCKET_PATH", "stands for --socket-path"],
  ["CODER_URL, CODER_SESSION_TOKEN", "stand for --url and --token of call --tailnet"],
  ["HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "proxies on the way to the control plane"],
  ["NODE_EXTRA_CA_CERTS", "a file with certificates of authorities to trust besides the known ones"],
  ["NO_COLOR", "no colours on a terminal"],
];

/** The manual page of the tool, in the man macros of roff. */
export function manPage(commands: readonly Command[], version: string): string {
  return [
    `.TH AGENTWIRE 1 "" "agentwire ${version}" "User Commands"`,
    ".SH NAME",
    "agentwire \\- the workspace agent API of Coder\\-style development environments, from the shell",
    ".SH SYNOPSIS",
    ".B agentwire",
    ".I COMMAND",
    "[options]",
    ".SH DESCRIPTION",
    escaped(
      "An agent in a workspace dials its control plane over one WebSocket. This tool is either end of it, calls any RPC by hand, reports and logs beside an agent, and finds out what is wrong on the way.",
    ),
    ".SH COMMANDS",
    ...commands.flatMap(commandLines),
    ".SH EXIT STATUS",
    ...exitCodeHelp.flatMap(([code, meaning]) => term(`.B ${code}`, meaning)),
    ".SH ENVIRONMENT",
    ...environment.flatMap(([name, meaning]) => term(`.B ${escaped(name)}`, meaning)),
    "",
  ].join("\n");
}

function commandLines({ name, summary, usage, options, examples }: Command): string[] {
  return [
    `.SS "agentwire ${escaped(name)} ${quotedPart(usage)}"`,
    escaped(`${summary}.`),
    ...Object.entries(options).flatMap(([option, facts]) => optionLines(option, facts)),
    ".PP",
    "Examples:",
    ".PP",
    ".nf",
    ".RS 4",
    ...examples.map(escaped),
    ".RE",
    ".fi",
  ];
}

function optionLines(name: string, option: Option): string[] {
  return term(`.B ${escaped(optionFlag(name, option))}`, option.help.replace(/\s+/g, " "));
}

function term(heading: string, text: string): string[] {
  return [".TP", heading, escaped(text)];
}

/** Inside of double quotes, where a double quote is written twice. */
function quotedPart(text: string): string {
  return escaped(text).replaceAll('"', '""');
}

/** A line of text: hyphens are those that can be typed, and no line begins a request. */
function escaped(text: string): string {
  const shown = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("`", "\\(ga")
    .replaceAll("'", "\\(aq")
    .replaceAll("…", "...")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti");
  return /^[.']/.test(shown) ? `\\&${shown}` : shown;
}
