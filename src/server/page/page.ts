import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { pathOf } from "../http/attach.js";

/** A page, ready to be mounted. */
export interface Page {
  /** True when the request was for a file of the page. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
}

interface PageFile {
  type: string;
  plain: PageBody;
  gzip: PageBody;
}

interface PageBody {
  bytes: Buffer;
  etag: string;
}

/** Paths of the page, and the files that are there. */
const files = [
  { path: "/", name: "index.html", type: "text/html; charset=utf-8" },
  { path: "/page/page.js", name: "page.js", type: "text/javascript; charset=utf-8" },
  { path: "/page/direct-session.js", name: "direct-session.js", type: "text/javascript; charset=utf-8" },
  { path: "/page/shared.js", name: "shared.js", type: "text/javascript; charset=utf-8" },
  { path: "/page/page.css", name: "page.css", type: "text/css; charset=utf-8" },
  { path: "/page/icon.svg", name: "icon.svg", type: "image/svg+xml" },
] as const;

/** Where the build puts them, as seen from the package's own files and from these sources. */
const folders = ["../page/", "../../page/", "../../../dist/page/"];

/** Nothing from elsewhere, nothing inline, and nobody may frame it. */
const contentSecurityPolicy = [
  "default-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const commonHeaders: OutgoingHttpHeaders = {
  "Content-Security-Policy": contentSecurityPolicy,
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
};

const notBuilt = "The page is not built: npm run build.\n";

/** The control plane's page: files only, for anyone. What it shows it asks of the admin API, with the admin token. */
export function createPage(): Page {
  let loaded: ReadonlyMap<string, PageFile> | undefined;
  return {
    handle(request, response) {
      const path = pathOf(request);
      if (!files.some((file) => file.path === path)) return false;
      loaded ??= loadFiles();
      answer(request, response, loaded.get(path));
      return true;
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, file: PageFile | undefined): void {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { Allow: "GET, HEAD" }).end();
    return;
  }
  if (file === undefined) {
    response.writeHead(501, { "Content-Type": "text/plain; charset=utf-8" }).end(notBuilt);
    return;
  }
  const isGzip = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(acceptEncodingOf(request));
  const { bytes, etag } = isGzip ? file.gzip : file.plain;
  const headers: OutgoingHttpHeaders = {
    ...commonHeaders,
    // asked again each time, so that a page never has the scripts of another version
    "Cache-Control": "no-cache",
    ETag: etag,
    Vary: "Accept-Encoding",
  };
  if (isSame(request.headers["if-none-match"], etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  if (isGzip) headers["Content-Encoding"] = "gzip";
  response.writeHead(200, { ...headers, "Content-Type": file.type, "Content-Length": bytes.length });
  if (request.method === "HEAD") response.end();
  else response.end(bytes);
}

function acceptEncodingOf({ headers }: IncomingMessage): string {
  return String(headers["accept-encoding"] ?? "");
}

/** A proxy that compresses answers marks their tags as weak. */
function isSame(ifNoneMatch: string | undefined, etag: string): boolean {
  return (ifNoneMatch ?? "").split(",").some((one) => one.trim().replace(/^W\//, "") === etag);
}

/** Read once; nothing is there when the page is not built. */
function loadFiles(): ReadonlyMap<string, PageFile> {
  const folder = folders
    .map((one) => fileURLToPath(new URL(one, import.meta.url)))
    .find((one) => existsSync(`${one}index.html`));
  if (folder === undefined) return new Map();
  return new Map(
    files.flatMap(({ path, name, type }): [string, PageFile][] => {
      const file = `${folder}${name}`;
      if (!existsSync(file)) return [];
      const plain = readFileSync(file);
      return [[path, { type, plain: bodyOf(plain), gzip: bodyOf(gzipSync(plain)) }]];
    }),
  );
}

function bodyOf(bytes: Buffer): PageBody {
  const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
  return { bytes, etag };
}
