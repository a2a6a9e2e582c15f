import { newestMinor } from "../gen/versions.js";

/** A version of the API. */
export interface ApiVersion {
  readonly major: number;
  readonly minor: number;
}

/** The major that this library speaks. */
export const apiMajor = 2;

/** The newest version that this library knows. */
export const newestVersion: ApiVersion = { major: apiMajor, minor: newestMinor };

/** What a request without a version means. S1.14. */
export const assumedVersion = "2.0";

/** `2.10` */
export function formatVersion({ major, minor }: ApiVersion): string {
  return `${major}.${minor}`;
}

/** A version in a request that cannot be served; the message is the one that clients of the API know. */
export class VersionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "VersionError";
  }
}

const largest = 2n ** 63n - 1n;
const smallest = -(2n ** 63n);

/**
 * Reads `major.minor` as the reference server does: a sign and leading zeros are fine, spaces are not. S1.15.
 * @throws VersionError when the text is no version.
 */
export function parseVersion(text: string): ApiVersion {
  const parts = text.split(".");
  const [major, minor] = parts;
  if (parts.length !== 2 || major === undefined || minor === undefined) {
    throw new VersionError(`invalid version string: ${text}`);
  }
  return {
    major: parsePart(major, `invalid major version: ${text}`),
    minor: parsePart(minor, `invalid minor version: ${text}`),
  };
}

function parsePart(text: string, complaint: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new VersionError(complaint);
  const value = BigInt(text.replace(/^\+/, ""));
  if (value > largest || value < smallest) throw new VersionError(complaint);
  return Number(value);
}

/**
 * Checks that a server of version `served` can serve a request for `text`. S1.16, S1.17.
 * @returns the version asked for.
 * @throws VersionError with the text of the reference server.
 */
export function checkVersion(text: string, served: ApiVersion): ApiVersion {
  const asked = parseVersion(text);
  const at = `server is at version ${formatVersion(served)}, behind requested`;
  if (asked.major > served.major) throw new VersionError(`${at} major version ${formatVersion(asked)}`);
  if (asked.major < served.major)
    throw new VersionError(`version ${formatVersion(asked)} is no longer supported`);
  if (asked.minor > served.minor) throw new VersionError(`${at} minor version ${formatVersion(asked)}`);
  return asked;
}

/**
 * The version that a server names when it refuses a newer one.
 * @param detail the text of the validation for `version` in its answer.
 * @returns undefined when it names none.
 */
export function versionNamedIn(detail: string): ApiVersion | undefined {
  const named = /^server is at version (\d+)\.(\d+), behind requested/.exec(detail);
  return named === null ? undefined : { major: Number(named[1]), minor: Number(named[2]) };
}
