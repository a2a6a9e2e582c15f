import {
  type Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  STATUS_CODES,
} from "node:http";
import { request as httpsRequest } from "node:https";
import type { NodeDialOptions } from "../dial/dial-options.js";
import { type HttpProxy, tunnelAgent } from "./proxy-node.js";

/** One request, and the way that it goes. */
export interface ExchangeOptions {
  url: URL;
  method: string;
  headers: Headers;
  body: string | Uint8Array | undefined;
  /** Ends it, up to the last byte of the answer's body. */
  signal: AbortSignal | undefined;
  proxy: HttpProxy | undefined;
  tls: NodeDialOptions["tls"] | undefined;
}

/** Their answers have no body. */
const bodiless: readonly number[] = [204, 205, 304];

/**
 * Makes a request on a connection of its own.
 * @throws TypeError when there is no answer, with the reason as its cause; the signal's reason when that ends it.
 */
export async function exchange(options: ExchangeOptions): Promise<Response> {
  const whole = new AbortController();
  const { proxy, signal } = options;
  const agent = proxy === undefined ? false : await tunnelAgent(proxy, whole.signal);
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    new Exchange(options, requestWith(options, agent), whole, { resolve, reject });
  });
}

function requestWith(options: ExchangeOptions, agent: Agent | false): ClientRequest {
  const { url, method, headers, tls } = options;
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return send(url, {
    ...tls,
    method,
    // answers are read as they come: nothing here decompresses them
    headers: { accept: "*/*", "accept-encoding": "identity", ...Object.fromEntries(headers) },
    agent,
  });
}

interface Outcome {
  resolve(response: Response): void;
  reject(reason: unknown): void;
}

class Exchange {
  readonly #options: ExchangeOptions;
  readonly #request: ClientRequest;
  /** Ends the connection to the proxy. */
  readonly #whole: AbortController;
  readonly #outcome: Outcome;
  readonly #onAbort = () => this.#giveUp(this.#options.signal?.reason);
  #isTunnelled = false;
  #answer: IncomingMessage | undefined;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(options: ExchangeOptions, request: ClientRequest, whole: AbortController, outcome: Outcome) {
    this.#options = options;
    this.#request = request;
    this.#whole = whole;
    this.#outcome = outcome;
    options.signal?.addEventListener("abort", this.#onAbort);
    request.on("proxyConnect", ({ statusCode }: { statusCode: number }) => this.#onTunnel(statusCode));
    request.on("error", (error) => this.#outcome.reject(this.#failure(error)));
    request.on("response", (answer) => this.#onAnswer(answer));
    request.on("close", () => {
      options.signal?.removeEventListener("abort", this.#onAbort);
      // an answer that is no answer to this, such as an upgrade
      this.#outcome.reject(failed("the connection was closed before an answer came"));
    });
    request.end(options.body);
  }

  #giveUp(reason: unknown): void {
    this.#outcome.reject(reason);
    this.#body?.error(reason);
    this.#whole.abort();
    (this.#answer ?? this.#request).destroy();
  }

  /** What a proxy says instead of a tunnel is not the server's answer. */
  #onTunnel(status: number): void {
    this.#isTunnelled = true;
    if (status === 200) return;
    const text = `it refused to connect: status ${status} ${STATUS_CODES[status] ?? ""}`.trimEnd();
    this.#outcome.reject(failed(this.#ofProxy(text)));
    this.#request.destroy();
  }

  #onAnswer(answer: IncomingMessage): void {
    this.#answer = answer;
    try {
      this.#outcome.resolve(this.#responseTo(answer));
    } catch (error) {
      answer.destroy();
      this.#outcome.reject(this.#failure(error));
    }
  }

  #responseTo(answer: IncomingMessage): Response {
    const { statusCode: status = 0, statusMessage: statusText = "", rawHeaders } = answer;
    const headers = new Headers();
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      headers.append(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "");
    }
    const hasBody = this.#options.method !== "HEAD" && !bodiless.includes(status);
    const response = new Response(hasBody ? this.#bodyOf(answer) : null, { status, statusText, headers });
    if (!hasBody) answer.destroy();
    return response;
  }

  /** Reads only what is asked for, so that a reader that is slow makes the server wait. */
  #bodyOf(answer: IncomingMessage): ReadableStream<Uint8Array> {
    const chunks = answer[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#body = controller;
        },
        pull: async (controller) => {
          const chunk = await chunks.next().catch((error: unknown) => {
            throw failed(`the connection was lost in the middle of the answer: ${textOf(error)}`);
          });
          if (chunk.value === undefined) controller.close();
          else controller.enqueue(plain(chunk.value));
        },
        cancel: () => {
          answer.destroy();
        },
      },
      { highWaterMark: 0 },
    );
  }

  #failure(error: unknown): TypeError {
    const { code } = error as { code?: unknown };
    const isOfProxy = this.#options.proxy !== undefined && !this.#isTunnelled;
    const text = textOf(error);
    return failed(isOfProxy ? this.#ofProxy(text) : text, typeof code === "string" ? code : undefined);
  }

  #ofProxy(text: string): string {
    const { proxy } = this.#options;
    return proxy === undefined ? text : `the proxy ${proxy.shown}: ${proxy.hide(text)}`;
  }
}

/** As `fetch` fails. What Node says may have what was sent and received beside its text: that is left behind. */
function failed(text: string, code?: string): TypeError {
  const cause = Object.assign(new Error(text), code === undefined ? {} : { code });
  return new TypeError("fetch failed", { cause });
}

/** Of several attempts, one for each address of a name, Node tells the code only. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  return error.message || (typeof code === "string" ? code : error.name);
}

/** Not a Buffer, whose `slice` does something else. */
function plain({ buffer, byteOffset, length }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}
