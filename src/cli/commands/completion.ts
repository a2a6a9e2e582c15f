import { type Command, UsageError } from "../command.js";
import { bashCompletion } from "../completion/bash.js";
import { fishCompletion } from "../completion/fish.js";
import { zshCompletion } from "../completion/zsh.js";
import { exitCodes } from "../exit-codes.js";

const shells: Readonly<Record<string, (commands: readonly Command[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};
const names = Object.keys(shells);

/** @param commands all commands of the tool, asked for when it runs: this one is among them. */
export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    name: "completion",
    summary: "Prints a script by which a shell completes commands, options and names of RPCs",
    usage: names.join(" | "),
    options: {},
    completion: { first: names },
    examples: [
      "agentwire completion bash > ~/.local/share/bash-completion/completions/agentwire",
      "agentwire completion zsh > ~/.zfunc/_agentwire",
      "agentwire completion fish > ~/.config/fish/completions/agentwire.fish",
    ],
    async run(_values, positionals, { stdout }) {
      const [name = "", ...more] = positionals;
      const script = Object.hasOwn(shells, name) ? shells[name] : undefined;
      if (script === undefined || more.length > 0) {
        throw new UsageError(`completion takes the name of one shell: ${names.join(", ")}`);
      }
      stdout.write(script(commands()));
      return exitCodes.done;
    },
  };
}
