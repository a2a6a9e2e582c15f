import { ApiError } from "../api-error.js";
import type { GoogleIdentityOptions } from "./options.js";

/** Checks identity tokens of Google's machines. */
export interface GoogleProof {
  instanceId(token: string, nowUs: number): Promise<string>;
}

/**
 * A verifier that loads what it needs when the first machine logs in: the package `jose`, which only those need who
 * have machines there.
 * @throws Error when there is no way to get keys.
 */
export function lazyGoogle(options: GoogleIdentityOptions): GoogleProof {
  if (options.keys === undefined && options.fetch === undefined) {
    throw new Error("instance identity: google has neither keys nor fetch; give one of them");
  }
  let loading: Promise<GoogleProof> | undefined;
  return {
    async instanceId(token, nowUs) {
      loading ??= import("./google.js").then(
        ({ GoogleVerifier }) => new GoogleVerifier(options),
        () => {
          throw new ApiError(500, "An internal server error occurred.", {
            detail: "identity tokens of Google need a package that is not installed: npm install jose",
          });
        },
      );
      return (await loading).instanceId(token, nowUs);
    },
  };
}
