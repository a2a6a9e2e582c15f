import type { Agent } from "node:http";
import { hideKnownSecrets } from "../../rpc/known-secrets.js";

/** A proxy that tunnels with CONNECT. */
export interface HttpProxy {
  /** With its credentials. */
  readonly url: URL;
  /** As errors show it. */
  readonly shown: string;
  /** A text of it, or through it, without its credentials. */
  hide(text: string): string;
}

/**
 * The proxy to a server; undefined for none.
 * @param proxy its URL; `false` or empty for none; undefined for what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
 * `NO_PROXY` say.
 * @throws TypeError when the proxy's URL cannot be used. Nothing of it is in the error.
 */
export async function proxyFor(url: URL, proxy: string | false | undefined): Promise<HttpProxy | undefined> {
  if (proxy === false) return undefined;
  const found = proxy ?? (await proxyInEnvironment(url));
  return found === "" ? undefined : readProxy(found);
}

/**
 * An agent for one request through a proxy; loaded only where there is one.
 * @param signal ends a connection to the proxy that has not become a tunnel: what is made of it then is the request's.
 */
export async function tunnelAgent(proxy: HttpProxy, signal: AbortSignal): Promise<Agent> {
  const { HttpsProxyAgent } = await import("https-proxy-agent");
  const connecting = new AbortController();
  const onAbort = () => connecting.abort();
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  const agent = new HttpsProxyAgent(proxy.url, { signal: connecting.signal });
  agent.on("proxyConnect", () => signal.removeEventListener("abort", onAbort));
  return agent;
}

async function proxyInEnvironment(url: URL): Promise<string> {
  const { getProxyForUrl } = await import("proxy-from-env");
  return getProxyForUrl(url.href.replace(/^ws/, "http"));
}

function readProxy(text: string): HttpProxy {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new TypeError("the proxy's URL cannot be used: it must be such as http://host:port");
  }
  const credentials = credentialsOf(url);
  return {
    url,
    shown: `${url.protocol}//${url.host}`,
    hide: (shown) => hideKnownSecrets(shown, credentials),
  };
}

/** As they may come back from a proxy. */
function credentialsOf({ username, password }: URL): string[] {
  try {
    const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)];
    return [Buffer.from(`${user}:${pass}`).toString("base64"), pass, password];
  } catch {
    throw new TypeError("the proxy's URL cannot be used: its user name or password is not percent-encoded");
  }
}
