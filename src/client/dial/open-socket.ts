import { Code } from "@connectrpc/connect";
import { errorText } from "../../rpc/error-text.js";
import { hideKnownSecrets } from "../../rpc/known-secrets.js";
import { type ByteConnection, type StandardWebSocket, webSocketConnection } from "../../transport/index.js";
import { shownUrl } from "../http/api-url.js";
import { DialError, refusedDial } from "../http/request-errors.js";
import { unlessAborted } from "../until-aborted.js";
import type { WebSocketOptions } from "./dial-options.js";
import type { Attempt, SocketOpener } from "./socket-opener.js";

const tokenQuery = "coder_session_token";

/** A plain GET to the endpoint gets this when only the upgrade was missing. */
const upgradeRequired = 426;

/** Opens WebSockets with the runtime's own `WebSocket`, which sends no headers and shows no answer. */
export function webOpener(options: WebSocketOptions): SocketOpener {
  const address = ({ url, token }: Attempt) => {
    const full = new URL(url);
    if (options.tokenIn !== "cookie") full.searchParams.set(tokenQuery, token);
    return full;
  };
  return {
    open(attempt) {
      if (Object.keys(attempt.headers).length > 0) {
        throw new DialError(
          shownUrl(attempt.url),
          "the WebSocket of this runtime cannot send headers; leave `headers` out",
          Code.InvalidArgument,
        );
      }
      return opened(new WebSocket(address(attempt)), attempt);
    },
    async check(attempt) {
      const url = address(attempt);
      url.protocol = url.protocol.replace("ws", "http");
      let response: Response;
      try {
        response = await fetch(url, { signal: attempt.signal, credentials: "include" });
      } catch (error) {
        attempt.signal.throwIfAborted();
        const text = errorText(error);
        const hint = `cannot ask the server for its version (${text}); dial with a fixed \`version\``;
        throw new DialError(shownUrl(attempt.url), hint, Code.Unavailable, { cause: error });
      }
      if (response.status === upgradeRequired) {
        await response.body?.cancel();
        return;
      }
      throw refusedDial(shownUrl(attempt.url), {
        status: response.status,
        contentType: response.headers.get("content-type") ?? undefined,
        body: hideKnownSecrets(await response.text(), attempt.secrets),
      });
    },
  };
}

async function opened(socket: WebSocket, { url, signal }: Attempt): Promise<ByteConnection> {
  const name = shownUrl(url);
  const opening = new Promise<ByteConnection>((resolve, reject) => {
    socket.addEventListener("open", () => {
      resolve(webSocketConnection(socket as unknown as StandardWebSocket, name));
    });
    // `close` follows and says more; without a listener some implementations would throw
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", ({ code, reason }) => {
      const why = reason === "" ? `code ${code}` : `code ${code}: ${reason}`;
      const text = `refused or not reachable (${why}); this runtime does not show more`;
      reject(new DialError(name, text, Code.Unavailable));
    });
  });
  try {
    return await unlessAborted(opening, signal);
  } catch (error) {
    socket.close();
    throw error;
  }
}
