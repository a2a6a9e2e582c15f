import { formatVersion, type LadderEntry, ladder } from "../../version/index.js";
import { type Command, jsonOption, UsageError } from "../command.js";

export const versions: Command = {
  name: "versions",
  summary: "Shows what exists since which version of the API",
  usage: "[--json]",
  options: { json: { ...jsonOption, help: "as JSON, one line for each entry" } },
  examples: ["agentwire versions", "agentwire versions --json"],
  async run(values, positionals, { stdout }) {
    if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is too much; there is only --json`);
    const entries = ladder();
    if (values["json"] === true) {
      for (const { since, ...entry } of entries) {
        stdout.write(`${JSON.stringify({ since: formatVersion(since), ...entry })}\n`);
      }
    } else {
      stdout.write(tableOf(entries));
    }
    return 0;
  },
};

function tableOf(entries: readonly LadderEntry[]): string {
  const rows = entries.map(({ kind, parent, name, since }) => {
    const full = kind === "method" ? `${shortName(parent)}/${name}` : `${shortName(parent)}.${name}`;
    return [formatVersion(since), kind, full] as const;
  });
  let shown = "";
  return rows
    .map(([since, kind, name]) => {
      const first = since === shown ? "" : since;
      shown = since;
      return `${first.padEnd(6)}${kind.padEnd(12)}${name}\n`;
    })
    .join("");
}

/** Without the package. */
function shortName(fullName: string): string {
  return fullName.replace(/^(?:[a-z0-9]+\.)+/, "");
}
