/**
 * An endpoint of the agent API.
 * @param route what comes after `/api/v2/workspaceagents/`.
 * @throws TypeError when the text is no URL, or not one of http, https, ws and wss.
 */
export function apiUrl(base: string | URL, route: string): URL {
  return serverUrl(base, `/api/v2/workspaceagents/${route}`);
}

/**
 * A path on a control plane; a path of the control plane itself is kept as a prefix, its query and fragment are not.
 * @throws TypeError when the text is no URL, or not one of http, https, ws and wss.
 */
export function serverUrl(base: string | URL, path: string): URL {
  const url = parsed(base);
  if (!/^(https?|wss?):$/.test(url.protocol)) {
    throw new TypeError(`${url.protocol}// is not http, https, ws or wss`);
  }
  url.protocol = url.protocol.replace("ws", "http");
  url.pathname = url.pathname.replace(/\/+$/, "") + path;
  url.hash = "";
  url.search = "";
  return url;
}

function parsed(base: string | URL): URL {
  try {
    return new URL(base);
  } catch (cause) {
    // not the text itself, which may have a password in it
    throw new TypeError("the url is no URL: it must be one such as https://coder.example.com", { cause });
  }
}

/**
 * The endpoint on a control plane, with version and role. C1.2: the keys in order, an empty role left out.
 * @throws TypeError when the text is no URL, or not one of http, https, ws and wss.
 */
export function rpcUrl(base: string | URL, version: string, role: string): URL {
  const url = apiUrl(base, "me/rpc");
  url.protocol = url.protocol.replace("http", "ws");
  if (role !== "") url.searchParams.set("role", role);
  url.searchParams.set("version", version);
  return url;
}

/** A URL to show: without credentials and query, where tokens could be. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
