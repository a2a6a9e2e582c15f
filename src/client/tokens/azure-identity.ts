import { Code } from "@connectrpc/connect";
import { AnswerFields } from "../http/answer-fields.js";
import { HttpError } from "../http/request-errors.js";
import { type AskMetadata, type CloudIdentityOptions, cloudIdentity } from "./cloud-identity.js";
import type { TokenProvider } from "./token-source.js";

const name = "Azure";

/**
 * The token of the agent of this Azure machine, got for its attested data, anew before each dial. C1.33.
 *
 * Its methods throw an HttpError: of the metadata service, or of the control plane with its words (C1.38). Nothing of
 * the signature or a token is in it.
 */
export function azureIdentity(options: CloudIdentityOptions): TokenProvider {
  return cloudIdentity({ name, route: "azure-instance-identity", proof }, options);
}

async function proof(ask: AskMetadata) {
  const answer = await ask({
    method: "GET",
    path: "/metadata/attested/document?api-version=2020-09-01",
    headers: { Metadata: "true" },
  });
  const what = `the ${name} metadata service: attested data`;
  const fields = new AnswerFields(what, parsed(what, answer));
  return { signature: fields.text("signature"), encoding: fields.text("encoding") };
}

function parsed(what: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new HttpError(what, "the answer is not JSON", Code.Internal);
  }
}
