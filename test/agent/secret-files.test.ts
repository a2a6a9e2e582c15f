import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { writeSecretFiles } from "../../src/agent/workspace/secret-files.js";
import { ManifestSchema } from "../../src/gen/coder/agent/v2/agent_pb.js";

async function folderOfTest(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "agentwire-secrets-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const write = (secrets: readonly (readonly [path: string, value: string])[]) =>
  writeSecretFiles(
    create(ManifestSchema, {
      secrets: secrets.map(([filePath, value]) => ({ filePath, value: Buffer.from(value) })),
    }),
  );

describe("files of secrets (C4.30)", () => {
  it("have the last of several secrets with the same path, which is told without the secret", async () => {
    const folder = await folderOfTest();
    const path = join(folder, "key");
    const faults = await write([
      [path, "first s3cret"],
      [join(folder, "a", "..", "key"), "second s3cret"],
      ["", "none"],
    ]);
    expect(faults).toEqual([`secret file ${path}: several secrets name it; the last one is there`]);
    expect(await readFile(path, "utf8")).toBe("second s3cret");
  });

  it("keep the mode that they have, and no rest of a longer secret", async () => {
    const path = join(await folderOfTest(), "key");
    await writeFile(path, "a much longer secret");
    await chmod(path, 0o640);
    expect(await write([[path, "short"]])).toEqual([]);
    expect(await readFile(path, "utf8")).toBe("short");
    expect((await stat(path)).mode & 0o777).toBe(0o640);
  });

  it("of ~/ are in the home directory", async () => {
    const home = await folderOfTest();
    vi.stubEnv("HOME", home);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await write([["~/.config/key", "s3cret"]])).toEqual([]);
    expect(await readFile(join(home, ".config", "key"), "utf8")).toBe("s3cret");
  });

  it("that cannot be written are told, and the others are written", async () => {
    const folder = await folderOfTest();
    const faults = await write([
      [folder, "s3cret"],
      [join(folder, "a\0b"), "s3cret"],
      [join(folder, "good"), "s3cret"],
    ]);
    expect(faults).toHaveLength(2);
    expect(faults[0]).toContain("EISDIR");
    expect(faults.join()).not.toContain("s3cret");
    expect(await readFile(join(folder, "good"), "utf8")).toBe("s3cret");
  });
});
