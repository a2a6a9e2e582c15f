import {
  type ApiVersion,
  assumedVersion,
  checkVersion,
  newestVersion,
  VersionError,
} from "../version/index.js";
import { ApiError } from "./api-error.js";

/** Which versions an endpoint serves. */
export interface VersionRules {
  /** The newest to serve; 2.10 by default. */
  serverVersion?: ApiVersion | undefined;
  /** What a request without one means; `2.0` by default. */
  assumed?: string;
}

/**
 * The version that a request asks for, as it is written there.
 * @throws ApiError 400 with what is wrong, for a version that cannot be served. S1.14–S1.18.
 */
export function requestedVersion(
  query: URLSearchParams,
  { serverVersion = newestVersion, assumed = assumedVersion }: VersionRules,
): string {
  const text = query.get("version") || assumed;
  try {
    checkVersion(text, serverVersion);
    return text;
  } catch (error) {
    if (!(error instanceof VersionError)) throw error;
    const validations = [{ field: "version", detail: error.message }];
    throw new ApiError(400, "Unknown or unsupported API version", { validations });
  }
}
