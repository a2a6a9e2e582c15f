import type { AgentStore } from "../../store/index.js";
import { ApiError, asApiError } from "../api-error.js";
import { agentOfInstance } from "./agent-of-instance.js";
import { AwsVerifier } from "./aws.js";
import { AzureVerifier } from "./azure.js";
import { lazyGoogle } from "./lazy-google.js";
import type { Cloud, InstanceIdentityOptions } from "./options.js";
import { ClaimsUnreadable, ProofRefused } from "./proof-refused.js";
import { textFields } from "./request-fields.js";

/** An answer before it is text. */
interface JsonAnswer {
  status: number;
  json: unknown;
}

/** Answers a request's body, parsed. Never rejects. */
export type IdentityHandler = (body: unknown) => Promise<JsonAnswer>;

/** What the handlers work with. */
export interface IdentityHandlerDeps {
  store: AgentStore;
  identity: InstanceIdentityOptions;
}

/** A proof that was believed: whose machine it is, and which of its agents asks. */
interface Login {
  instanceId: string;
  agentName: string;
}

const messages: Readonly<Record<Cloud, string>> = {
  aws: "Invalid AWS identity.",
  azure: "Invalid Azure identity.",
  google: "Invalid GCP identity.",
};

const notConfigured = "this server has no configuration for machines of that cloud";

/**
 * Gives machines the tokens of their agents for what their cloud says of them. S5.39–S5.41.
 * @throws Error when the options have certificates or keys that cannot be read.
 */
export function identityHandlers({ store, identity }: IdentityHandlerDeps): Record<Cloud, IdentityHandler> {
  const nowUs = identity.nowUs ?? (() => Date.now() * 1000);
  const aws = identity.aws && new AwsVerifier(identity.aws);
  const azure = identity.azure && new AzureVerifier(identity.azure);
  const google = identity.google && lazyGoogle(identity.google);

  const answering =
    (cloud: Cloud, logIn: (body: unknown) => Promise<Login>): IdentityHandler =>
    async (body) => {
      try {
        const { instanceId, agentName } = await logIn(body);
        const agent = await agentOfInstance(store, instanceId, agentName);
        return { status: 200, json: { session_token: agent.authToken } };
      } catch (error) {
        if (error instanceof ProofRefused) tell(identity, cloud, error.message);
        const refusal = refusalOf(cloud, error);
        return { status: refusal.status, json: refusal.toJSON() };
      }
    };

  return {
    aws: answering("aws", async (body) => {
      const { signature, document, agent_name } = textFields(body, ["signature", "document"], ["agent_name"]);
      const instanceId = given(aws).instanceId(document, signature, nowUs());
      return { instanceId, agentName: agent_name };
    }),
    azure: answering("azure", async (body) => {
      // the encoding must be there and is not looked at: there is one only, and the signature shows it
      const { signature, agent_name } = textFields(body, ["signature", "encoding"], ["agent_name"]);
      return { instanceId: given(azure).instanceId(signature, nowUs()), agentName: agent_name };
    }),
    google: answering("google", async (body) => {
      const { json_web_token, agent_name } = textFields(body, ["json_web_token"], ["agent_name"]);
      return { instanceId: await given(google).instanceId(json_web_token, nowUs()), agentName: agent_name };
    }),
  };
}

function given<T>(verifier: T | undefined): T {
  if (verifier === undefined) throw new ProofRefused(notConfigured);
  return verifier;
}

function refusalOf(cloud: Cloud, error: unknown): ApiError {
  if (error instanceof ClaimsUnreadable) {
    return new ApiError(400, "Error decoding JWT claims.", { detail: error.message });
  }
  if (!(error instanceof ProofRefused)) return asApiError(error);
  const detail = cloud === "azure" ? "Signature verification failed." : error.message;
  return new ApiError(401, messages[cloud], { detail });
}

function tell({ onRefused }: InstanceIdentityOptions, cloud: Cloud, reason: string): void {
  try {
    onRefused?.({ cloud, reason });
  } catch {
    // the answer does not depend on who listens
  }
}
