import type { NodeDialOptions } from "../dial/dial-options.js";
import { proxyFor } from "./proxy-node.js";

/** How {@link nodeFetch} reaches servers. */
export interface NodeFetchOptions {
  /** As in `dialAgent`: a proxy's URL, `false` for none; by default the environment decides, for each request. */
  proxy?: NodeDialOptions["proxy"] | undefined;
  /** As in `dialAgent`: certificates of the authority and of this client. */
  tls?: NodeDialOptions["tls"] | undefined;
  /** Sent with each request, unless it has its own of the same name. None by default. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * A `fetch` that goes the way of `dialAgent`: through the proxy, with the certificates. `dialAgent`, `connectAgent` and
 * `createAgent` use it by themselves; give it to what makes requests of its own.
 *
 * ```ts
 * const fetch = nodeFetch({ proxy: "http://proxy.example.com:3128", tls: { ca: readFileSync("ca.pem") } });
 * await registerLogSource({ url, token, fetch, id, displayName: "Build" });
 * ```
 *
 * It takes a URL, and of the rest a method, headers, a body of text or bytes, and a signal. Redirects are never
 * followed: a token is for the host that it was given for. Each request has a connection of its own, which is closed
 * with the end of the answer, when the body is canceled, and with the signal; where neither a proxy nor certificates
 * apply, the runtime's `fetch` makes the request.
 *
 * What it returns throws a TypeError as `fetch` does, with the reason as its `cause`, and the signal's reason when that
 * ends the request. Neither has a proxy's credentials.
 */
export function nodeFetch(options: NodeFetchOptions = {}): typeof fetch {
  return async (input, init = {}) => {
    const url = urlOf(input);
    const { signal, redirect = "manual" } = init;
    if (redirect !== "manual") {
      throw new TypeError(`redirect: "${redirect}" cannot be had here: leave it out, or give "manual"`);
    }
    const body = bodyOf(init.body);
    const headers = headersOf(options, init);
    signal?.throwIfAborted();
    const proxy = await proxyFor(url, options.proxy);
    signal?.throwIfAborted();
    if (proxy === undefined && isOrdinary(url, options)) {
      return fetch(url, { ...init, headers, redirect });
    }
    // Node's own HTTP, which few need
    const { exchange } = await import("./exchange-node.js");
    return exchange({
      url,
      method: init.method?.toUpperCase() ?? "GET",
      headers,
      body,
      signal: signal ?? undefined,
      proxy,
      tls: options.tls,
    });
  };
}

/**
 * True where the runtime's `fetch` goes the same way. It takes no credentials in a URL; and where it is told to use
 * proxies of the environment, nothing keeps it from that.
 */
function isOrdinary(url: URL, { proxy, tls }: NodeFetchOptions): boolean {
  const hasCertificates = tls !== undefined && url.protocol === "https:";
  return proxy !== false && !hasCertificates && url.username === "" && url.password === "";
}

function urlOf(input: RequestInfo | URL): URL {
  if (typeof input === "object" && !(input instanceof URL)) {
    throw new TypeError("a Request cannot be sent here: give a URL");
  }
  const url = URL.canParse(input) ? new URL(input) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new TypeError("the URL cannot be used: it must be such as https://host/path");
  }
  return url;
}

function bodyOf(body: RequestInit["body"]): string | Uint8Array | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === "string" || body instanceof Uint8Array) return body;
  throw new TypeError("such a body cannot be sent here: give a text or a Uint8Array");
}

function headersOf(options: NodeFetchOptions, init: RequestInit): Headers {
  try {
    const headers = new Headers(options.headers);
    new Headers(init.headers).forEach((value, name) => {
      headers.set(name, value);
    });
    return headers;
  } catch {
    // the runtime would say so with the value in its text
    throw new TypeError("a header has characters that no header can have");
  }
}
