import type { GoogleIdentityOptions } from "./options.js";

/** Checks identity tokens of Google's machines. */
export interface GoogleProof {
  instanceId(token: string, nowUs: number): Promise<string>;
}

/**
 * A verifier that loads the package `jose` when the first machine logs in: only those need it who have machines
 * there.
 * @throws Error when there is no way to get keys.
 */
export function lazyGoogle(options: GoogleIdentityOptions): GoogleProof {
  if (options.keys === undefined && options.fetch === undefined) {
    throw new Error("instance identity: google has neither keys nor fetch; give one of them");
  }
  let loading: Promise<GoogleProof> | undefined;
  return {
    async instanceId(token, nowUs) {
      loading ??= import("./google.js").then(({ GoogleVerifier }) => new GoogleVerifier(options));
      return (await loading).instanceId(token, nowUs);
    },
  };
}
