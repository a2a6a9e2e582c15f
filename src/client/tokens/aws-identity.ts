import { Code } from "@connectrpc/connect";
import { isHeaderValue } from "../http/agent-request.js";
import { HttpError } from "../http/request-errors.js";
import { type AskMetadata, type CloudIdentityOptions, cloudIdentity } from "./cloud-identity.js";
import type { TokenProvider } from "./token-source.js";

const name = "AWS";
const metadataTokenTtlSeconds = 21_600;

/**
 * The token of the agent of this AWS machine, got for its signed identity document, anew before each dial. C1.32.
 *
 * Its methods throw an HttpError: of the metadata service, or of the control plane with its words (C1.38). Nothing of
 * the document, its signature or a token is in it.
 */
export function awsIdentity(options: CloudIdentityOptions): TokenProvider {
  return cloudIdentity({ name, route: "aws-instance-identity", proof }, options);
}

async function proof(ask: AskMetadata) {
  const token = await ask({
    method: "PUT",
    path: "/latest/api/token",
    headers: { "X-aws-ec2-metadata-token-ttl-seconds": String(metadataTokenTtlSeconds) },
  });
  // `fetch` would say so with the token in its text
  if (!isHeaderValue(token.trim())) {
    throw new HttpError(
      `the ${name} metadata service`,
      "its token has characters that no header can have",
      Code.FailedPrecondition,
    );
  }
  const get = (part: string) =>
    ask({
      method: "GET",
      path: `/latest/dynamic/instance-identity/${part}`,
      headers: { "X-aws-ec2-metadata-token": token.trim() },
    });
  const signature = await get("signature");
  return { signature, document: await get("document") };
}
