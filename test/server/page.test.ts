import { describe, expect, it } from "vitest";
import { startTool } from "../support/built-tool.js";
import { controlPlane, eventually } from "../support/control-plane.js";

const plainly = { "Accept-Encoding": "identity" };
const adminToken = "an admin token of the test";

describe("the files of the page", () => {
  it("are there for anyone, may load nothing from elsewhere, and may not be framed", async () => {
    const { url } = await controlPlane({}, { adminToken });
    for (const [path, type] of [
      ["/", "text/html; charset=utf-8"],
      ["/page/page.js", "text/javascript; charset=utf-8"],
      ["/page/shared.js", "text/javascript; charset=utf-8"],
      ["/page/direct-session.js", "text/javascript; charset=utf-8"],
      ["/page/page.css", "text/css; charset=utf-8"],
      ["/page/icon.svg", "image/svg+xml"],
    ] as const) {
      const answer = await fetch(`${url}${path}`, { headers: plainly });
      expect([path, answer.status, answer.headers.get("content-type")]).toEqual([path, 200, type]);
      expect(Number(answer.headers.get("content-length"))).toBe((await answer.arrayBuffer()).byteLength);
      const policy = answer.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("unsafe");
    }
  });

  it("are asked for again, and not sent again", async () => {
    const { url } = await controlPlane({}, { adminToken });
    const first = await fetch(`${url}/page/page.js`);
    expect(first.headers.get("cache-control")).toBe("no-cache");
    const etag = first.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    await first.arrayBuffer();
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await fetch(`${url}/page/page.js`, { headers: { "If-None-Match": tag } });
      expect([again.status, await again.text()]).toEqual([304, ""]);
    }
    const changed = await fetch(`${url}/page/page.js`, { headers: { "If-None-Match": '"other"' } });
    expect(changed.status).toBe(200);
    await changed.arrayBuffer();
  });

  it("are sent with gzip to who takes it", async () => {
    const { url } = await controlPlane({}, { adminToken });
    const answers = await Promise.all(
      ["gzip, br", "identity", "br, gzip;q=0"].map(async (encodings) => {
        const answer = await fetch(`${url}/page/page.js`, { headers: { "Accept-Encoding": encodings } });
        return { headers: answer.headers, text: await answer.text() };
      }),
    );
    expect(answers.map(({ headers }) => headers.get("content-encoding"))).toEqual(["gzip", null, null]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]?.headers.get("vary")).toBe("Accept-Encoding");
    expect(answers[0]?.headers.get("etag")).not.toBe(answers[1]?.headers.get("etag"));
  });

  it("are for GET and HEAD", async () => {
    const { url } = await controlPlane({}, { adminToken });
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const post = await fetch(url, { method: "POST" });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect((await fetch(`${url}/page/other.js`)).status).toBe(404);
  });

  it("are found by the built tool", async () => {
    const { output } = startTool(["serve", "--listen", "127.0.0.1:0", "--database", "memory"]);
    await eventually(() => output.stdout.endsWith("\n"), "the line that it is ready", 30_000);
    const { page } = JSON.parse(output.stdout) as { page: string };
    const answer = await fetch(page);
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("/page/page.js")]);
  });

  it("are not there without an admin token", async () => {
    const { url } = await controlPlane();
    expect((await fetch(url)).status).toBe(404);
  });
});
