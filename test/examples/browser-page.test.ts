import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, pipeline } from "node:stream";
import { fileURLToPath } from "node:url";
import { build } from "tsdown";
import { expect, it, onTestFinished } from "vitest";
import { browserOfTests, shows } from "../support/browser.js";
import { httpServer } from "../support/http-servers.js";
import { testPlane } from "../support/test-plane.js";

const folder = fileURLToPath(new URL("../../examples/browser/", import.meta.url));

const browser = browserOfTests();

/** The page's script as a bundler makes it of the built package. */
async function bundledPage(): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), "agentwire-page-"));
  onTestFinished(() => rm(outDir, { recursive: true, force: true }));
  await build({
    config: false,
    entry: { page: join(folder, "page.ts") },
    outDir,
    format: "esm",
    platform: "browser",
    dts: false,
    noExternal: () => true,
    logLevel: "silent",
  });
  return readFile(join(outDir, "page.js"), "utf8");
}

/** A proxy that has the page too: one origin for both. */
async function frontOf(planeUrl: string, files: Record<string, [type: string, text: string]>) {
  const toPlane = ({ method, url, rawHeaders }: IncomingMessage, near: Duplex) => {
    const far = connect(Number(new URL(planeUrl).port), "127.0.0.1");
    const headers = rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
    far.write(`${method} ${url} HTTP/1.1\r\n${headers}\r\n`);
    pipeline(near, far, near, () => {});
  };
  const { server, url } = await httpServer(async (request, response) => {
    const file = files[request.url ?? ""];
    if (file !== undefined) return response.setHeader("Content-Type", file[0]).end(file[1]);
    const answer = await fetch(`${planeUrl}${request.url}`);
    return response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  });
  server.on("upgrade", toPlane);
  return url;
}

it("examples/browser connects from a real browser and sends lines, beside the agent", async () => {
  const plane = await testPlane();
  const [html, script] = await Promise.all([readFile(join(folder, "index.html"), "utf8"), bundledPage()]);
  const url = await frontOf(plane.url, {
    "/": ["text/html", html],
    "/page.js": ["text/javascript", script],
  });
  const { page } = await browser.open();
  await page.goto(url);
  await shows(page, "not connected");
  await page.type("#dial input", plane.agent.token);
  await page.click("#dial button");
  await shows(page, "connected to ada/dev, agent main, API 2.10");
  await page.type("#say input", "hello from a page");
  await page.click("#say button");
  await plane.agent.expectLogs("hello from a page");
  await shows(page, "sent: hello from a page");
  expect(plane.dials()).toMatchObject([{ role: "example-page", version: "2.10" }, { role: "example-page" }]);
  plane.cut();
  await shows(page, "not connected");
  expect(await plane.agent.status()).toBe("connecting");
}, 60_000);
