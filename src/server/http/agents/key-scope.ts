import { ApiError } from "../../api-error.js";
import type { AgentCall } from "../routes.js";

const forbiddenDetail =
  "You don't have permission to view this content. If you believe this is a mistake, please contact your administrator or try signing in with different credentials.";

/** The answer to who may not see what is there. S5.3. */
export function forbidden(): ApiError {
  return new ApiError(403, "Forbidden.", { detail: forbiddenDetail });
}

/** Some agents may have nothing that belongs to their user. S5.20, S5.26. @throws ApiError 403 for them. */
export function refuseWithoutUserData({ identity }: AgentCall): void {
  if (identity.agent.keyScope === "no_user_data") throw forbidden();
}
