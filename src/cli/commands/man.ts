import { type Command, UsageError } from "../command.js";
import { exitCodes } from "../exit-codes.js";
import { manPage } from "../man-page.js";
import { toolVersion } from "../tool.js";

/** @param commands all commands of the tool, asked for when it runs: this one is among them. */
export function manCommand(commands: () => readonly Command[]): Command {
  return {
    name: "man",
    summary: "Prints the manual page",
    usage: "",
    options: {},
    examples: ["agentwire man | man -l -", "agentwire man > ~/.local/share/man/man1/agentwire.1"],
    async run(_values, positionals, { stdout }) {
      if (positionals.length > 0)
        throw new UsageError(`"${positionals[0]}" is too much; man takes no arguments`);
      stdout.write(manPage(commands(), toolVersion()));
      return exitCodes.done;
    },
  };
}
