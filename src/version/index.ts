/** Versions of the API: reading and checking them, and what exists since when. */

export type { ApiVersion } from "./api-version.js";
export {
  apiMajor,
  assumedVersion,
  checkVersion,
  formatVersion,
  newestVersion,
  parseVersion,
  VersionError,
  versionNamedIn,
} from "./api-version.js";
export type {
  AgentMethodsOf,
  ApiMethod,
  ApiMinor,
  ApiVersionText,
  LadderEntry,
  MinorOf,
  TailnetMethodsOf,
} from "./ladder.js";
export { ladder, methodVersion, versionHas } from "./ladder.js";
