import { type OnOlderServers, onOlderServers } from "../../src/client/index-node.js";
import {
  type ApiVersion,
  type ApiVersionText,
  formatVersion,
  newestVersion,
} from "../../src/version/index.js";

/** What a call does. */
export type Outcome = "works" | "goes the older way" | "unsupported";

/** All minors of the API. */
export const minors = Array.from({ length: newestVersion.minor + 1 }, (_, minor) => minor);

export const version = (minor: number): ApiVersion => ({ major: newestVersion.major, minor });

export const versionText = (minor: number) => formatVersion(version(minor)) as ApiVersionText;

/** All RPCs, oldest first: the table that docs/versions.md shows. */
export const rpcs = onOlderServers();

/** What a call does where the server has the RPCs up to a minor. */
function expectedOutcome({ since, shims }: OnOlderServers, minor: number): Outcome {
  if (since.minor <= minor) return "works";
  return shims.some(({ standsIn }) => standsIn) ? "goes the older way" : "unsupported";
}

/** The expected outcomes of all RPCs, by method. */
export function expectedOutcomes(minor: number): Record<string, Outcome> {
  return Object.fromEntries(rpcs.map((rpc) => [rpc.method, expectedOutcome(rpc, minor)]));
}

/** What a dial of a version does on a server of another: the version it gets, or the text that refuses it. */
export function expectedDial(asked: number | "negotiate", served: number): ApiVersion | string {
  if (asked === "negotiate") return version(Math.min(served, newestVersion.minor));
  if (asked <= served) return version(asked);
  return `server is at version ${versionText(served)}, behind requested minor version ${versionText(asked)}`;
}
