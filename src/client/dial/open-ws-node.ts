import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { hideKnownSecrets } from "../../rpc/known-secrets.js";
import type { ByteConnection } from "../../transport/index.js";
import { wsConnection } from "../../transport/ws-node.js";
import { shownUrl } from "../http/api-url.js";
import { type HttpProxy, proxyFor, tunnelAgent } from "../http/proxy-node.js";
import { type DialError, refusedDial } from "../http/request-errors.js";
import type { NodeSocketOptions } from "./dial-options.js";
import type { Attempt } from "./socket-opener.js";

const tokenHeader = "Coder-Session-Token";
const maxRefusalBytes = 64 * 1024;
const maxRedirects = 10;

/** Opens a WebSocket of the `ws` package. */
export async function openWs(attempt: Attempt, options: NodeSocketOptions): Promise<ByteConnection> {
  const proxy = await proxyFor(attempt.url, options.proxy);
  const agent = proxy && (await tunnelAgent(proxy, attempt.signal));
  const socket = new WebSocket(attempt.url, {
    headers: { ...attempt.headers, [tokenHeader]: attempt.token },
    perMessageDeflate: false,
    maxPayload: attempt.maxMessageBytes,
    followRedirects: true,
    maxRedirects,
    ...options.tls,
    ...(agent === undefined ? {} : { agent }),
  });
  return opened(socket, attempt, proxy);
}

function opened(socket: WebSocket, attempt: Attempt, proxy: HttpProxy | undefined): Promise<ByteConnection> {
  const { url, signal } = attempt;
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      socket.terminate();
      settle(() => reject(signal.reason));
    };
    const settle = (outcome: () => void) => {
      signal.removeEventListener("abort", giveUp);
      outcome();
    };
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    socket.on("error", (error) => settle(() => reject(error)));
    socket.on("unexpected-response", (_request, response) => {
      refusal(attempt, response, proxy).then((error) => {
        socket.terminate();
        settle(() => reject(error));
      });
    });
    socket.on("redirect", (target, request) => {
      // a token is for the host that it was given for
      if (new URL(target).host !== url.host) request.removeHeader(tokenHeader);
    });
    socket.on("open", () => {
      // they would keep all of the dial for as long as there is the connection
      socket.removeAllListeners();
      const connection = wsConnection(socket, shownUrl(url));
      settle(() => resolve(connection));
    });
  });
}

async function refusal(
  { url, secrets }: Attempt,
  response: IncomingMessage,
  proxy: HttpProxy | undefined,
): Promise<DialError> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxRefusalBytes) break;
    }
  } catch {
    // What has come of the body is enough to say why.
  }
  const body = hideKnownSecrets(Buffer.concat(chunks).toString(), secrets);
  return refusedDial(shownUrl(url), {
    status: response.statusCode ?? 0,
    contentType: response.headers["content-type"],
    body: proxy?.hide(body) ?? body,
  });
}
