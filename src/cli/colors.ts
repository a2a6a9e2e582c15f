import { styleText } from "node:util";
import type { Terminal } from "./command.js";

/** A style of Node's `styleText`. */
type Style = Parameters<typeof styleText>[0];

/** Styles text where the output is a terminal that wants it (no `NO_COLOR`). */
export type Paint = (style: Style, text: string) => string;

export function paintFor(output: { isTTY?: boolean }, { env }: Pick<Terminal, "env">): Paint {
  const isWanted = output.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  return (style, text) => (isWanted ? styleText(style, text) : text);
}

/** Text that cannot do anything to a terminal: control characters, and what they control, are taken out. */
export function printable(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
      .replace(/\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?/g, "")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
      .replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/g, "")
  );
}
