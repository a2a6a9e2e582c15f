import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AdminService } from "../src/gen/agentwire/admin/v1/admin_pb.js";

/** A client of the admin API. */
export type Admin = Client<typeof AdminService>;

/** Reads that take longer count as failed: whoever waits tries again. */
const readTimeoutMs = 15_000;

/** The admin API of the server that the page is from. */
export function adminWith(token: string): Admin {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("Authorization", `Bearer ${token}`);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl: location.origin,
    useBinaryFormat: true,
    interceptors: [authorize],
  });
  return createClient(AdminService, transport);
}

/** Options of a read: it ends in time, or with the signal. */
export function read(signal: AbortSignal) {
  return { signal, timeoutMs: readTimeoutMs };
}

/** Whether the admin API does not take the token. */
export function isRefused(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Unauthenticated;
}

/** Whether there is no such thing any more. */
export function isGone(error: unknown): boolean {
  return ConnectError.from(error).code === Code.NotFound;
}

/** What went wrong, for people. */
export function whatFailed(error: unknown): string {
  return ConnectError.from(error).rawMessage;
}
