import type { IncomingMessage, ServerResponse } from "node:http";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { AdminService } from "../../gen/agentwire/admin/v1/admin_pb.js";
import { nodeHandler } from "../connect-protocols.js";
import { pathOf } from "../http/attach.js";
import { sameToken } from "../same-token.js";
import { type AdminDeps, adminService } from "./admin-service.js";

/** How the admin API is made. */
export interface AdminApiOptions extends AdminDeps {
  /** Who has it may do everything: `Authorization: Bearer TOKEN`. At least 16 characters. */
  token: string;
}

/** The admin API, ready to be mounted. */
export interface AdminApi {
  /** True when the request was for the admin API. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
}

const servicePath = `/${AdminService.typeName}/`;
const leastTokenCharacters = 16;
/** Definitions may be large; all scripts of many workspaces are in one. */
const maxMessageBytes = 16 * 1024 * 1024;

/**
 * `agentwire.admin.v1.AdminService` over Connect, gRPC and gRPC-Web.
 * @throws RangeError when the token is too short to be one.
 */
export function createAdminApi({ token, ...deps }: AdminApiOptions): AdminApi {
  if (token.length < leastTokenCharacters) {
    throw new RangeError(`the admin token must have at least ${leastTokenCharacters} characters`);
  }
  const handle = nodeHandler({
    routes: (router) => router.service(AdminService, adminService(deps)),
    interceptors: [onlyWith(token)],
    maxMessageBytes,
  });
  return {
    handle(request, response) {
      if (!pathOf(request).startsWith(servicePath)) return false;
      void handle(request, response);
      return true;
    },
  };
}

function onlyWith(token: string): Interceptor {
  const isRight = sameToken(`Bearer ${token}`);
  return (next) => (request) => {
    if (!isRight(request.header.get("authorization") ?? "")) {
      throw new ConnectError("the admin API needs its token: Authorization: Bearer …", Code.Unauthenticated);
    }
    return next(request);
  };
}
