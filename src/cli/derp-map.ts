import { errorText } from "../rpc/error-text.js";
import { type ClosableDerpMap, derpMapFile, derpMapUrl } from "../server/index.js";
import { type OptionValues, type Terminal, text, UsageError } from "./command.js";

/** For commands that serve a map of relays. */
export const derpMapOptions = {
  "derp-map": {
    type: "string",
    value: "FILE-or-URL",
    completion: "file",
    help: "the relays that agents and clients get, as JSON; none by default",
  },
} as const;

/**
 * The map that is asked for; close it.
 * @throws UsageError when there is none.
 */
export async function openDerpMap(
  values: OptionValues,
  { stderr, signal }: Terminal,
): Promise<ClosableDerpMap | undefined> {
  const where = text(values, "derp-map");
  if (where === undefined) return undefined;
  const onProblem = (error: Error) => void stderr.write(`${error.message}\nThe relays stay as they were.\n`);
  try {
    const isUrl = /^https?:\/\//i.test(where);
    return await (isUrl
      ? derpMapUrl(where, { onProblem, signal })
      : derpMapFile(where, { onProblem, signal }));
  } catch (error) {
    throw new UsageError(`--derp-map: ${errorText(error)}`);
  }
}
