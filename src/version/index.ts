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
export type { Dropper } from "./drop-newer.js";
export { dropNewer } from "./drop-newer.js";
export type {
  AgentMethodsOf,
  ApiMethod,
  ApiMinor,
  ApiVersionText,
  LadderEntry,
  MethodVersion,
  MinorOf,
  TailnetMethodsOf,
} from "./ladder.js";
export { apiMethods, enumValueVersion, fieldVersion, ladder, methodVersion, versionHas } from "./ladder.js";
