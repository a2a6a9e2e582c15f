import type { IncomingHttpHeaders } from "node:http";

const name = "coder_session_token";

/** What of a request can hold a token. */
export interface TokenRequest {
  headers: IncomingHttpHeaders;
  /** The query of its URL. */
  query: URLSearchParams;
}

/** The token of a request: the first of the five places that has one. S1.6. */
export function sessionToken({ headers, query }: TokenRequest): string | undefined {
  const [header, authorization] = headerTokens(headers);
  const places = [
    () => cookie(headers.cookie, name),
    () => query.get(name),
    () => header,
    () => authorization,
    () => query.get("access_token")?.trim(),
  ];
  for (const place of places) {
    const token = place();
    if (token !== undefined && token !== null && token !== "") return token;
  }
  return undefined;
}

/** Whether a request has a token in a header, which a browser does not add by itself. */
export function hasHeaderToken(headers: IncomingHttpHeaders): boolean {
  return headerTokens(headers).some((token) => token !== undefined && token !== "");
}

function headerTokens(headers: IncomingHttpHeaders): (string | undefined)[] {
  return [single(headers["coder-session-token"]), bearer(headers.authorization)];
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function bearer(authorization: string | undefined): string | undefined {
  return /^bearer\s+(.*)$/i.exec(authorization ?? "")?.[1]?.trim();
}

function cookie(header: string | undefined, wanted: string): string | undefined {
  for (const pair of header?.split(";") ?? []) {
    const at = pair.indexOf("=");
    if (at >= 0 && pair.slice(0, at).trim() === wanted)
      return pair
        .slice(at + 1)
        .trim()
        .replace(/^"(.*)"$/, "$1");
  }
  return undefined;
}
