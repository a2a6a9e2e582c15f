import { errorText } from "../../../rpc/error-text.js";
import { ApiError } from "../../api-error.js";
import { jsonAnswer } from "../answer.js";
import type { HttpDeps } from "../options.js";
import type { AgentCall, RouteAnswer } from "../routes.js";
import { refuseWithoutUserData } from "./key-scope.js";

/** A key pair, as SSH has it. */
export interface GitSshKey {
  publicKey: string;
  privateKey: string;
}

/** Where SSH keys of users are. */
export interface GitSshKeys {
  /** The key of a user; undefined when there is none. */
  keyOf(ownerId: string): Promise<GitSshKey | undefined>;
}

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
