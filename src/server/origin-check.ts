import type { IncomingHttpHeaders } from "node:http";
import { goQuote } from "../rpc/index.js";
import { ApiError } from "./api-error.js";
import { hasHeaderToken } from "./session-token.js";

/**
 * What is wrong with the origin of the page that makes a request: it is not that of the server. S1.25.
 * @returns undefined where nothing is, and where no page says that it makes it.
 */
export function originComplaint(headers: IncomingHttpHeaders): string | undefined {
  const { origin } = headers;
  const host = headers.host ?? String(headers[":authority"] ?? "");
  if (origin === undefined || origin === "") return undefined;
  const originHost = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(origin)?.[1]?.replace(/^.*@/, "") ?? "";
  if (originHost.toLowerCase() === host.toLowerCase()) return undefined;
  if (originHost === "") return `request Origin ${goQuote(origin)} is not a valid URL with a host`;
  return `request Origin ${goQuote(originHost)} is not authorized for Host ${goQuote(host)}`;
}

/** Methods that change nothing. */
const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/** What a browser says of requests that a page of the server's own makes, or a person. */
const ownSites = new Set(["same-origin", "none"]);

/**
 * Refuses a request that would change something with a cookie which the browser adds to it, when a page of another
 * origin makes it. One with a token in a header is nothing that such a page can make without leave, and none that has
 * no cookie is made in anybody's name.
 * @throws ApiError 403.
 */
export function refuseForeignCookie(method: string | undefined, headers: IncomingHttpHeaders): void {
  if (safeMethods.has(method ?? "") || !headers.cookie || hasHeaderToken(headers)) return;
  // a browser that says this knows better than hosts, which proxies may change
  const site = headers["sec-fetch-site"];
  if (typeof site === "string" && ownSites.has(site)) return;
  const complaint =
    originComplaint(headers) ?? (site && `request Sec-Fetch-Site ${goQuote(String(site))} is not authorized`);
  if (!complaint) return;
  throw new ApiError(403, "Forbidden.", {
    detail: `${complaint}: a cookie is good for pages of this server only; send the token in a header.`,
  });
}
