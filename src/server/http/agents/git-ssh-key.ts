import { errorText } from "../../../rpc/error-text.js";
import { ApiError } from "../../api-error.js";
import { jsonAnswer } from "../answer.js";
import type { GitSshKey, GitSshKeys, HttpDeps } from "../options.js";
import type { AgentCall, RouteAnswer } from "../routes.js";
import { refuseWithoutUserData } from "./key-scope.js";

const failed = "Internal error fetching git SSH key.";

/** `GET /me/gitsshkey`: the SSH key of the workspace's owner. S5.25, S5.26. */
export async function getGitSshKey({ gitSshKeys }: HttpDeps, call: AgentCall): Promise<RouteAnswer> {
  refuseWithoutUserData(call);
  const { ownerId } = call.identity.workspace;
  const key = await readKey(gitSshKeys, ownerId);
  if (key === undefined) throw new ApiError(500, failed, { detail: "the workspace's owner has no key" });
  return jsonAnswer(200, { public_key: key.publicKey, private_key: key.privateKey });
}

async function readKey(keys: GitSshKeys | undefined, ownerId: string): Promise<GitSshKey | undefined> {
  try {
    return await keys?.keyOf(ownerId);
  } catch (error) {
    throw new ApiError(500, failed, { detail: errorText(error) });
  }
}
