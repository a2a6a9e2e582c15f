import { goUnquote } from "./go-unquote.js";
import { stripHtml } from "./strip-html.js";

/**
 * The message of an app's status as it is stored: escapes of Go resolved, HTML stripped and the rest escaped, no
 * escape sequences of terminals, no characters that cannot be seen, white space as single spaces. Can be longer than
 * the message. Takes time in proportion to its length, and never throws. S3.52.
 */
export function cleanStatusMessage(text: string): string {
  const html = goUnquote(text) ?? text;
  return stripTerminalSequences(stripHtml(html))
    .replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S}\p{White_Space}]/gu, "")
    .replace(/\p{White_Space}+/gu, " ")
    .replace(/^ | $/g, "");
}

/*
 * In the order of the alternatives: a control sequence; a control string with its end, which may hold no control
 * character; any other escape. Each alternative stops at the next escape at the latest, so that no character is
 * looked at again and again. None takes an `&`: it begins a character that is escaped.
 */
const terminalSequences = new RegExp(
  [
    "(?:\\u001b\\[|\\u009b)[0-?]*[ !#-%(-/]*[@-~]",
    "(?:\\u001b[\\]PX^_]|[\\u0090\\u0098\\u009d-\\u009f])[^\\u0000-\\u001f\\u007f-\\u009f]*(?:\\u0007|\\u001b\\\\|\\u009c)",
    "\\u001b[ !#-%(-/]*[0-OQ-WYZ\\\\`-~]",
  ].join("|"),
  "g",
);

/** Sequences that have no end leave their text behind. */
function stripTerminalSequences(text: string): string {
  return text.replace(terminalSequences, "");
}
