import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";

const script = fileURLToPath(new URL("../../tools/release.mjs", import.meta.url));

/** A package in a git repository of its own. */
async function repository(heading: string, lockedVersion = "1.2.3") {
  const folder = await mkdtemp(join(tmpdir(), "agentwire-release-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const files = {
    "package.json": JSON.stringify({ name: "some", version: "1.2.3" }),
    "package-lock.json": JSON.stringify({ packages: { "": { version: lockedVersion } } }),
    "CHANGELOG.md": `# Changelog\n\n${heading}\n\nText.\n`,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", ...args], {
      cwd: folder,
      stdio: "ignore",
    });
  git("init");
  git("add", "-A");
  git("commit", "-m", "First");
  const check = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--check", ...args], {
      cwd: folder,
      encoding: "utf8",
    });
    return { status, stdout, stderr };
  };
  return { folder, git, check };
}

it("a release is ready with a clean tree, one version and a day in the changelog", async () => {
  const { check } = await repository("## 1.2.3 – 2026-01-31");
  expect(check()).toEqual({ status: 0, stdout: "some 1.2.3 is ready\n", stderr: "" });
});

it("a release that is not ready is refused with all reasons", async () => {
  const { check, folder, git } = await repository("## 1.2.3 – unreleased", "1.2.2");
  await writeFile(join(folder, "new.txt"), "new");
  git("tag", "v1.2.3");
  const { status, stderr } = check("--publish");
  expect(status).toBe(1);
  expect(stderr).toContain("changes that are not committed:\n?? new.txt");
  expect(stderr).toContain("package-lock.json has the version 1.2.2, package.json 1.2.3");
  expect(stderr).toContain('says "## 1.2.3 – unreleased": give it the day');
  expect(stderr).toContain("there is a tag v1.2.3 already");
  expect(stderr).toContain('no "repository", which provenance names');
});

it("a release that the changelog does not know, or an option that is not known, is refused", async () => {
  const { check } = await repository("## 1.2.2 – 2026-01-31");
  expect(check().stderr).toContain("CHANGELOG.md has nothing about 1.2.3");
  expect(check("--force").stderr).toBe("release: there is no option --force: --check or --publish\n");
});
