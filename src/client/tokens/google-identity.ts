import { Code, ConnectError } from "@connectrpc/connect";
import { HttpError } from "../http/request-errors.js";
import { type AskMetadata, type CloudIdentityOptions, cloudIdentity } from "./cloud-identity.js";
import type { TokenProvider } from "./token-source.js";

/** How a machine of Google Cloud gets its agent's token. */
export interface GoogleIdentityOptions extends CloudIdentityOptions {
  /** The service account whose identity is shown; `default` by default. */
  serviceAccount?: string | undefined;
}

/**
 * The token of the agent of this Google Cloud machine, got for an identity token of its service account, anew before
 * each dial. C1.34; unlike there, the metadata request ends with its caller too.
 *
 * Its methods throw an HttpError: of the metadata service, or of the control plane with its words (C1.38). Nothing of
 * a token is in it.
 */
export function googleIdentity(options: GoogleIdentityOptions): TokenProvider {
  const account = encodeURIComponent(options.serviceAccount || "default").replaceAll("%40", "@");
  const proof = async (ask: AskMetadata) => {
    try {
      const jwt = await ask({
        method: "GET",
        path: `/computeMetadata/v1/instance/service-accounts/${account}/identity?audience=coder&format=full`,
        headers: { "Metadata-Flavor": "Google" },
      });
      return { json_web_token: jwt };
    } catch (error) {
      const { rawMessage, code } = ConnectError.from(error, Code.Unavailable);
      throw new HttpError("get metadata identity", rawMessage, code, { cause: error });
    }
  };
  return cloudIdentity({ name: "Google Cloud", route: "google-instance-identity", proof }, options);
}
