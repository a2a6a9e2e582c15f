import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  dialAgent,
  registerLogSource,
  TokenSettingError,
  tokenFile,
} from "../../../src/client/index-node.js";
import { controlPlane, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";

const never = new AbortController().signal;

async function file(text: string) {
  const folder = await mkdtemp(join(tmpdir(), "agentwire-token-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "token");
  await writeFile(path, text);
  return { path, write: (changed: string) => writeFile(path, changed) };
}

describe("C1.39, C1.40 a token in a file", () => {
  it("is read without the blanks around it, and anew at each refresh", async () => {
    const { path, write } = await file(" one\r\n");
    const source = tokenFile(path);
    expect(await source.get(never)).toBe("one");
    await write("two\n");
    expect(await source.get(never)).toBe("one");
    expect(await source.refresh(never)).toBe("two");
    expect(await source.get(never)).toBe("two");
  });

  it.each(["", " \n\t\r\n"])("that is blank (%j) is an error", async (text) => {
    const { path } = await file(text);
    const error = await failure(tokenFile(path).get(never));
    expect(error).toBeInstanceOf(TokenSettingError);
    expect(error).toMatchObject({
      setting: "token",
      message: "CODER_AGENT_TOKEN or CODER_AGENT_TOKEN_FILE must be set for token auth",
    });
  });

  it("that cannot be read is an error with the path and the reason", async () => {
    const path = join(tmpdir(), 'agentwire "none"');
    const error = await failure(tokenFile(path).refresh(never));
    expect(error).toBeInstanceOf(TokenSettingError);
    expect(error.message).toMatch(/^read token file ".*agentwire \\"none\\"": ENOENT: /);
    const folder = await failure(tokenFile(tmpdir()).refresh(never));
    expect(folder.message).toContain("EISDIR");
  });

  it("that has far more than a token is not taken, and not shown", async () => {
    const endless = await failure(tokenFile("/dev/zero").refresh(never));
    expect(endless.message).toBe('read token file "/dev/zero": it has more than 65536 bytes');
    const { path } = await file("x".repeat(65_537));
    const error = await failure(tokenFile(path).refresh(never));
    expect(error.message).toBe(`read token file "${path}": it has more than 65536 bytes`);
  });

  it("is not read for who has left", async () => {
    const { path } = await file("one");
    await expect(tokenFile(path).refresh(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  });

  it("is read anew before each dial, and taken by requests beside the connection", async () => {
    const plane = await controlPlane();
    const { path, write } = await file("11111111-1b7d-4e0a-9c55-0d1f2b3a4c5d");
    const source = tokenFile(path);
    const dial = () => dialAgent({ url: plane.url, token: source });
    expect(await failure(dial())).toMatchObject({ status: 401 });
    await write(`${token}\n`);
    await using _connection = await dial();
    await registerLogSource({ url: plane.url, token: source, id: crypto.randomUUID(), displayName: "x" });
    await write("");
    expect(await failure(dial())).toMatchObject({
      layer: "dial",
      reason: "CODER_AGENT_TOKEN or CODER_AGENT_TOKEN_FILE must be set for token auth",
    });
  });
});
