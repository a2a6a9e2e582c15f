import { createHash } from "node:crypto";
import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { takeContextEnvironment } from "../../../src/local/index.js";
import { skillFile, Workplace } from "./workplace.js";

const sha256 = (bytes: string) => new Uint8Array(createHash("sha256").update(bytes).digest());

describe("a workspace's context", () => {
  it("C4.74 has instruction files, skills and MCP configs of all roots", async () => {
    const place = await Workplace.make({
      "work/AGENTS.md": "a",
      "work/agents.md": "another name",
      "work/CLAUDE.md": "b",
      "work/.cursorrules": "c",
      "work/.mcp.json": "{}",
      "work/SKILL.md": "in no folder of skills",
      "work/packages/one/AGENTS.md": "d",
      "work/skills/alpha/SKILL.md": skillFile("alpha"),
      "work/skills/no-meta/readme.md": "no",
      "work/.agents/skills/beta/SKILL.md": skillFile("beta"),
      "work/.claude/skills/gamma/SKILL.md": skillFile("gamma"),
      "work/.codex/skills/delta/SKILL.md": skillFile("delta"),
      ".coder/AGENTS.md": "e",
      ".coder/skills/epsilon/SKILL.md": skillFile("epsilon"),
      ".claude/plugins/cache/market/plugin/1.0/skills/zeta/SKILL.md": skillFile("zeta"),
      ".claude/plugins/cache/market/plugin/1.0/.mcp.json": "{}",
      ".claude/CLAUDE.md": "in no root",
      "AGENTS.md": "in no root",
      "extra/AGENTS.md": "in a source",
    });
    const context = await place.opened();
    await context.addSource(place.at("extra"));
    expect(place.listed(context.snapshot())).toEqual([
      "instruction_file .coder/AGENTS.md",
      "instruction_file extra/AGENTS.md",
      "instruction_file work/.cursorrules",
      "instruction_file work/AGENTS.md",
      "instruction_file work/CLAUDE.md",
      "instruction_file work/packages/one/AGENTS.md",
      "mcp_config .claude/plugins/cache/market/plugin/1.0/.mcp.json",
      "mcp_config work/.mcp.json",
      "skill .claude/plugins/cache/market/plugin/1.0/skills/zeta",
      "skill .coder/skills/epsilon",
      "skill work/.agents/skills/beta",
      "skill work/.claude/skills/gamma",
      "skill work/.codex/skills/delta",
      "skill work/skills/alpha",
    ]);
    expect(context.snapshot().snapshotError).toBe("");
  });

  it("knows of each its hash, size, path, name and description", async () => {
    const meta = skillFile("alpha", "first letter");
    const place = await Workplace.make({ "work/AGENTS.md": "ä", "work/skills/a/SKILL.md": meta });
    const context = await place.opened();
    const { resources, payloadBytes, version } = context.snapshot();
    expect([version, payloadBytes]).toEqual([1n, BigInt(2 + meta.length)]);
    const file = place.at("work/AGENTS.md");
    const folder = place.at("work/skills/a");
    expect(resources).toEqual([
      {
        id: `instruction_file:${file}`,
        kind: "instruction_file",
        source: file,
        sourcePath: file,
        contentHash: sha256("ä"),
        sizeBytes: 2n,
        status: "ok",
        error: "",
        name: "",
        description: "",
      },
      {
        id: `skill:${folder}`,
        kind: "skill",
        source: folder,
        sourcePath: join(folder, "SKILL.md"),
        contentHash: sha256(meta),
        sizeBytes: BigInt(meta.length),
        status: "ok",
        error: "",
        name: "alpha",
        description: "first letter",
      },
    ]);
  });

  it("never enters node_modules, .git and hidden directories, and no files of a skill", async () => {
    const place = await Workplace.make({
      "work/node_modules/x/AGENTS.md": "",
      "work/a/node_modules/AGENTS.md": "",
      "work/.git/AGENTS.md": "",
      "work/a/.git/AGENTS.md": "",
      "work/.cache/AGENTS.md": "",
      "work/skills/alpha/SKILL.md": skillFile("alpha"),
      "work/skills/alpha/template/AGENTS.md": "",
      "work/a/AGENTS.md": "",
    });
    await symlink(place.at("work/node_modules/x"), place.at("work/x"));
    const context = await place.opened();
    expect(place.listed(context.snapshot())).toEqual([
      "instruction_file work/a/AGENTS.md",
      "skill work/skills/alpha",
    ]);
  });

  it("C4.74 follows symbolic links that stay inside their root, and says so of those that do not", async () => {
    const place = await Workplace.make({
      "work/docs/guide.md": "guide",
      "work/lib/alpha/SKILL.md": skillFile("alpha"),
      "outside/AGENTS.md": "secret",
      "outside/skills/beta/SKILL.md": skillFile("beta"),
    });
    await mkdir(place.at("work/skills/gamma"), { recursive: true });
    await symlink("docs/guide.md", place.at("work/AGENTS.md"));
    await symlink("../lib/alpha", place.at("work/skills/alpha"));
    await symlink(place.at("outside/skills/beta"), place.at("work/skills/beta"));
    await symlink(place.at("outside/skills/beta/SKILL.md"), place.at("work/skills/gamma/SKILL.md"));
    await symlink(place.at("outside/AGENTS.md"), place.at("work/CLAUDE.md"));
    await symlink("nowhere", place.at("work/.cursorrules"));
    await symlink(".", place.at("work/loop"));
    const context = await place.opened();
    expect(place.listed(context.snapshot())).toEqual([
      "instruction_file work/.cursorrules unreadable",
      "instruction_file work/AGENTS.md",
      "instruction_file work/CLAUDE.md invalid",
      "skill work/skills/alpha",
      "skill work/skills/gamma invalid",
    ]);
    const { resources } = context.snapshot();
    expect(resources.find(({ source }) => source.endsWith("AGENTS.md"))?.sourcePath).toBe(
      place.at("work/docs/guide.md"),
    );
    expect(resources.find(({ source }) => source.endsWith("CLAUDE.md"))).toMatchObject({
      error: `a symbolic link must stay inside its root ${place.work}`,
      contentHash: sha256(""),
      sizeBytes: 0n,
    });
    expect(resources.find(({ source }) => source.endsWith(".cursorrules"))?.error).toBe(
      "cannot be read: ENOENT",
    );
  });

  it("finds a folder of skills that is a link, though its target was read as a plain directory", async () => {
    const place = await Workplace.make({ "work/.agents/shared/alpha/SKILL.md": skillFile("alpha") });
    await mkdir(place.at("work/.claude"));
    await symlink("../.agents/shared", place.at("work/.claude/skills"));
    const context = await place.opened();
    expect(place.listed(context.snapshot())).toEqual(["skill work/.claude/skills/alpha"]);
  });

  it("lists a resource once, however many roots lead to it", async () => {
    const place = await Workplace.make({
      ".coder/skills/alpha/SKILL.md": skillFile("alpha"),
      "work/AGENTS.md": "",
    });
    const context = await place.opened({ directory: place.home });
    await context.addSource("~/work");
    expect(place.listed(context.snapshot())).toEqual([
      "instruction_file work/AGENTS.md",
      "skill .coder/skills/alpha",
    ]);
  });

  it("has a root that is a skill, and what is in it", async () => {
    const place = await Workplace.make({
      "skills/own/SKILL.md": skillFile("own"),
      "skills/own/docs/AGENTS.md": "",
    });
    const context = await place.opened({ directory: place.at("skills/own") });
    expect(place.listed(context.snapshot())).toEqual([
      "instruction_file skills/own/docs/AGENTS.md",
      "skill skills/own",
    ]);
  });

  it("looks where the working directory is, and nowhere else once there is another", async () => {
    const place = await Workplace.make({ "work/AGENTS.md": "", "other/CLAUDE.md": "" });
    const context = await place.opened({ directory: "" });
    expect(place.listed(context.snapshot())).toEqual([]);
    await context.setDirectory("~/work");
    expect(place.listed(context.snapshot())).toEqual(["instruction_file work/AGENTS.md"]);
    await context.setDirectory("other");
    expect(place.listed(context.snapshot())).toEqual(["instruction_file other/CLAUDE.md"]);
  });
});

describe("limits of a walk", () => {
  const files = { "work/a/AGENTS.md": "", "work/a/b/AGENTS.md": "", "work/a/b/c/AGENTS.md": "" };

  it.each([
    [{ maxDepth: 2 }, 2, "2 directories one in the other"],
    [{ maxDirectories: 2 }, 1, "2 directories"],
    [{ maxEntries: 3 }, 1, "3 entries"],
  ])("are told in the snapshot when they cut it: %j", async (limits, count, where) => {
    const place = await Workplace.make(files);
    const { resources, snapshotError } = (await place.opened({ limits })).snapshot();
    expect(resources).toHaveLength(count);
    expect(snapshotError).toBe(`the walk of ${place.work} ended at ${where}; what lies beyond is left out`);
  });

  it("leave other roots what is theirs", async () => {
    const place = await Workplace.make({ ...files, ".coder/AGENTS.md": "" });
    const { resources } = (await place.opened({ limits: { maxEntries: 1 } })).snapshot();
    expect(resources.map(({ source }) => source)).toEqual([place.at(".coder/AGENTS.md")]);
  });
});

describe("C4.76 the environment", () => {
  it("is read and removed", () => {
    const env = {
      CODER_AGENT_EXP_INSTRUCTIONS_DIRS: "~/one, two,,",
      CODER_AGENT_EXP_INSTRUCTIONS_FILE: "GUIDE.md",
      CODER_AGENT_EXP_SKILLS_DIRS: "/skills",
      CODER_AGENT_EXP_SKILL_META_FILE: "META.md",
      CODER_AGENT_EXP_MCP_CONFIG_FILES: "a.json,b.json",
      CODER_AGENT_URL: "stays",
    };
    expect(takeContextEnvironment(env)).toEqual({
      instructionsDirs: ["~/one", "two"],
      instructionsFile: "GUIDE.md",
      skillsDirs: ["/skills"],
      skillMetaFile: "META.md",
      mcpConfigFiles: ["a.json", "b.json"],
    });
    expect(env).toEqual({ CODER_AGENT_URL: "stays" });
    expect(takeContextEnvironment(env)).toEqual({
      instructionsDirs: [],
      instructionsFile: undefined,
      skillsDirs: [],
      skillMetaFile: undefined,
      mcpConfigFiles: [],
    });
  });

  it("adds places, and gives other names", async () => {
    const place = await Workplace.make({
      "one/.guide.md": "",
      "one/AGENTS.md": "not the name",
      "work/two/.guide.md": "",
      "tools/alpha/META.md": skillFile("alpha"),
      "tools/beta/SKILL.md": "not the name",
      "work/mcp/servers.json": "{}",
      "outside.json": "{}",
    });
    await symlink(place.at("outside.json"), place.at("work/mcp/linked.json"));
    const environment = {
      instructionsDirs: ["~/one", "two"],
      instructionsFile: ".guide.md",
      skillsDirs: [place.at("tools")],
      skillMetaFile: "META.md",
      mcpConfigFiles: ["mcp/servers.json", "mcp/linked.json", "mcp/missing.json", "missing/x.json"],
    };
    const context = await place.opened({ environment });
    expect(place.listed(context.snapshot())).toEqual([
      "instruction_file one/.guide.md",
      "instruction_file work/two/.guide.md",
      "mcp_config work/mcp/linked.json invalid",
      "mcp_config work/mcp/servers.json",
      "skill tools/alpha",
    ]);
    await place.write({ "work/missing/x.json": "{}" });
    await place.untilListed(context, [
      ...place.listed(context.snapshot()).filter((line) => !line.includes("missing")),
      "mcp_config work/missing/x.json",
    ]);
  });
});

describe("sources", () => {
  it("are known by their canonical path, and can be added once and removed once", async () => {
    const place = await Workplace.make({ "extra/AGENTS.md": "" });
    await symlink(place.at("extra"), place.at("work/link"));
    const context = await place.opened();
    expect(await context.addSource("link/../link/")).toBe(place.at("extra"));
    expect(await context.addSource("~/extra")).toBe(place.at("extra"));
    expect(context.sources()).toEqual([place.at("extra")]);
    expect([context.canonical("~/extra/."), context.canonical("link/not/there")]).toEqual([
      place.at("extra"),
      place.at("extra/not/there"),
    ]);
    expect(context.snapshot().resources).toHaveLength(1);
    expect(await context.removeSource("link")).toBe(true);
    expect(await context.removeSource("link")).toBe(false);
    expect([context.sources(), context.snapshot().resources]).toEqual([[], []]);
  });

  it("are refused with the reason", async () => {
    const place = await Workplace.make({ "work/file": "" });
    const context = await place.opened();
    await expect(context.addSource(" ")).rejects.toThrow("the path is empty");
    await expect(context.addSource("nowhere")).rejects.toThrow(`${place.at("work/nowhere")} does not exist`);
    await expect(context.addSource("file")).rejects.toThrow(`${place.at("work/file")} is not a directory`);
    await expect(context.addSource("a\0b")).rejects.toThrow("cannot be read");
    for (let i = 0; i < 64; i++) {
      await mkdir(place.at(`s${i}`));
      await context.addSource(`~/s${i}`);
    }
    await mkdir(place.at("more"));
    await expect(context.addSource("~/more")).rejects.toThrow("there are 64 sources, which is the most");
  });

  it("can be removed when they are gone from the disk", async () => {
    const place = await Workplace.make({ "extra/AGENTS.md": "" });
    const context = await place.opened();
    await context.addSource("~/extra");
    await rm(place.at("extra"), { recursive: true });
    expect(await context.removeSource("~/extra")).toBe(true);
  });
});
