import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { aggregateHash } from "../../../src/local/context/aggregate-hash.js";
import { nodeFiles } from "../../../src/local/context/files.js";
import { readSkillMeta } from "../../../src/local/context/skill-meta.js";
import type { ContextFiles, ContextSnapshot, WorkspaceContextOptions } from "../../../src/local/index.js";
import { skillFile, Workplace } from "./workplace.js";

const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("hex");
const sha256 = (bytes: string | Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const only = ({ resources: [resource] }: ContextSnapshot) => resource;

/** Node's files with faults for paths that end in some way. */
function faultyFiles(faults: Partial<Record<keyof ContextFiles, Record<string, string>>>): ContextFiles {
  const check = (what: keyof ContextFiles, path: string) => {
    const end = Object.keys(faults[what] ?? {}).find((one) => path.endsWith(one));
    if (end === undefined) return;
    const code = faults[what]?.[end] ?? "";
    throw Object.assign(new Error(`${code}: no`), { code });
  };
  return {
    ...nodeFiles,
    async realPath(path) {
      check("realPath", path);
      return nodeFiles.realPath(path);
    },
    async *entriesOf(path) {
      check("entriesOf", path);
      yield* nodeFiles.entriesOf(path);
    },
    async startOf(path, maxBytes) {
      check("startOf", path);
      return nodeFiles.startOf(path, maxBytes);
    },
    async kindOf(path) {
      check("kindOf", path);
      return nodeFiles.kindOf(path);
    },
  };
}

async function snapshotOf(
  files: Record<string, string | Uint8Array>,
  options: WorkspaceContextOptions = {},
): Promise<ContextSnapshot> {
  const place = await Workplace.make(files);
  return (await place.opened(options)).snapshot();
}

describe("C4.75 the aggregate hash", () => {
  const contentHash = (content: string) => new Uint8Array(createHash("sha256").update(content).digest());
  const file = {
    id: "instruction_file:/w/AGENTS.md",
    kind: "instruction_file",
    source: "/w/AGENTS.md",
    contentHash: contentHash("hi"),
    status: "ok",
  } as const;
  const skill = {
    id: "skill:/w/skills/é",
    kind: "skill",
    source: "/w/skills/é",
    contentHash: contentHash(""),
    status: "invalid",
  } as const;
  const server = { ...file, id: "mcp_server:mcp:x", kind: "mcp_server", source: "mcp:x" } as const;
  // SHA-256 of "29:instruction_file:/w/AGENTS.md,16:instruction_file,12:/w/AGENTS.md,", the 32 bytes, "2:ok,\0",
  // "18:skill:/w/skills/é,5:skill,12:/w/skills/é,", the 32 bytes, "7:invalid,\0"
  const expected = "9bcca653a191d493b76f6f7105bba4d8dff7cef937dacfc490263f58bd747e26";

  it("is that of netstrings, worked out by hand", () => {
    expect(hex(aggregateHash([file, skill]))).toBe(expected);
    expect(hex(aggregateHash([]))).toBe(sha256(""));
  });

  it("does not depend on the order, nor on MCP servers", () => {
    expect(hex(aggregateHash([server, skill, file]))).toBe(expected);
  });

  it("changes with each part", () => {
    const others = [
      { ...file, id: "instruction_file:/w/B" },
      { ...file, source: "/w/B" },
      { ...file, kind: "mcp_config" as const },
      { ...file, contentHash: contentHash("ho") },
      { ...file, status: "oversize" as const },
    ];
    const hashes = [file, ...others].map((one) => hex(aggregateHash([one])));
    expect(new Set(hashes).size).toBe(6);
  });
});

describe("C4.73 caps", () => {
  it("keep a file of 64 KiB, and of a larger one the hash of its start only", async () => {
    const large = Buffer.alloc(65_537, "x");
    const { resources, payloadBytes } = await snapshotOf({
      "work/a/AGENTS.md": large.subarray(1),
      "work/b/AGENTS.md": large,
    });
    expect(resources).toMatchObject([
      { status: "ok", sizeBytes: 65_536n, error: "" },
      {
        status: "oversize",
        sizeBytes: 65_537n,
        error: "file size 65537 exceeds per-resource cap of 65536 bytes",
      },
    ]);
    expect(resources.map(({ contentHash }) => hex(contentHash))).toEqual([
      sha256(large.subarray(1)),
      sha256(large.subarray(1)),
    ]);
    expect(payloadBytes).toBe(65_536n);
  });

  it("keep 2 MiB of contents, by kind and then by path; MCP configs count for nothing", async () => {
    const files: Record<string, string | Uint8Array> = { "work/.mcp.json": `{"a":"${"x".repeat(60_000)}"}` };
    for (let i = 10; i < 43; i++) files[`work/${i}/AGENTS.md`] = Buffer.alloc(65_536, `${i}`);
    files["work/43/AGENTS.md"] = "";
    files["work/skills/a/SKILL.md"] = skillFile("a");
    const place = await Workplace.make(files);
    const { resources, payloadBytes } = (await place.opened()).snapshot();
    const excluded = resources.filter(({ status }) => status !== "ok");
    expect(excluded.map(({ source, status, error }) => [source, status, error])).toEqual([
      [place.at("work/42/AGENTS.md"), "excluded", "dropped to fit 2097152-byte aggregate cap"],
      [place.at("work/skills/a"), "excluded", "dropped to fit 2097152-byte aggregate cap"],
    ]);
    expect(payloadBytes).toBe(2_097_152n);
    expect(hex(excluded[0]?.contentHash)).toBe(sha256(Buffer.alloc(65_536, "42")));
  });

  it("keep 500 resources, list 1,000, and say that there are more", async () => {
    const files: Record<string, string> = {};
    for (let i = 1000; i < 2002; i++) files[`work/${i}/AGENTS.md`] = "x";
    const { resources, snapshotError } = await snapshotOf(files);
    const errors = resources.map(({ status, error }) => (status === "ok" ? "" : `${status}: ${error}`));
    expect(errors).toEqual([
      ...Array.from({ length: 500 }, () => ""),
      ...Array.from({ length: 500 }, () => "excluded: dropped to fit 500-resource snapshot count cap"),
    ]);
    expect(snapshotError).toBe("2 resources left out: there are too many of them");
  });

  it("leave out what no server takes: paths of more than 1,024 bytes", async () => {
    const deep = Array.from({ length: 6 }, () => "d".repeat(200)).join("/");
    const { resources, snapshotError } = await snapshotOf({
      [`work/${deep}/AGENTS.md`]: "",
      "work/AGENTS.md": "",
    });
    expect(resources).toHaveLength(1);
    expect(snapshotError).toBe("1 resources left out: paths of over 1024 bytes");
  });
});

describe("a resource that is not as it should be", () => {
  it("is unreadable where its file cannot be read, or is none", async () => {
    const place = await Workplace.make({ "work/AGENTS.md": "x", "work/CLAUDE.md": "y" });
    await promisify(execFile)("mkfifo", [place.at("work/.cursorrules")]);
    const files = faultyFiles({ startOf: { "AGENTS.md": "EACCES" }, realPath: { "CLAUDE.md": "EIO" } });
    const { resources, snapshotError } = (await place.opened({ files })).snapshot();
    expect(resources.map(({ status, error, sizeBytes }) => [status, error, sizeBytes])).toEqual([
      ["unreadable", "cannot be read: it is not a regular file", 0n],
      ["unreadable", "cannot be read: EACCES", 0n],
      ["unreadable", "cannot be read: EIO", 0n],
    ]);
    expect(snapshotError).toBe("");
  });

  it("is left out when it has gone between the walk and the read", async () => {
    const files = faultyFiles({ startOf: { "AGENTS.md": "ENOENT" } });
    expect((await snapshotOf({ "work/AGENTS.md": "x" }, { files })).resources).toEqual([]);
  });

  it("is invalid where it is not UTF-8", async () => {
    const resource = only(await snapshotOf({ "work/AGENTS.md": Buffer.from([0x61, 0xff]) }));
    expect(resource).toMatchObject({ status: "invalid", error: "it is not valid UTF-8", sizeBytes: 2n });
    expect(hex(resource?.contentHash)).toBe(sha256(Buffer.from([0x61, 0xff])));
  });

  it.each(["", "no json {secret}", "[1]", "null"])(
    "is invalid where an MCP config is %j, without its text",
    async (text) => {
      const resource = only(await snapshotOf({ "work/.mcp.json": text }));
      expect(resource).toMatchObject({ status: "invalid", error: "it is not a JSON object" });
    },
  );

  it("is invalid where a skill has no proper head, and keeps its hash", async () => {
    const resource = only(await snapshotOf({ "work/skills/a/SKILL.md": "# a" }));
    expect(resource).toMatchObject({
      status: "invalid",
      error: "no front matter: the first line must be ---",
      name: "",
    });
    expect(hex(resource?.contentHash)).toBe(sha256("# a"));
  });

  it("is told in the snapshot where it is a directory", async () => {
    const files = faultyFiles({ entriesOf: { "work/closed": "EACCES" }, realPath: { ".coder": "EIO" } });
    const place = await Workplace.make({ "work/closed/AGENTS.md": "", "work/AGENTS.md": "" });
    const { resources, snapshotError } = (await place.opened({ files })).snapshot();
    expect(resources).toHaveLength(1);
    expect(snapshotError).toBe(
      `${place.at("work/closed")}: EACCES; ${place.at(".coder")}: EIO; ${place.at(".coder/skills")}: EIO`,
    );
  });

  it("does not make the snapshot's error longer than a server takes", async () => {
    const names = Array.from({ length: 30 }, (_, i) => `${i}-${"ö".repeat(100)}`);
    const files = faultyFiles({ entriesOf: Object.fromEntries(names.map((name) => [name, "EACCES"])) });
    const { snapshotError } = await snapshotOf(
      Object.fromEntries(names.map((name) => [`work/${name}/x`, ""])),
      { files },
    );
    expect(snapshotError).toMatch(/; and 22 more$/);
    expect(Buffer.byteLength(snapshotError)).toBeLessThanOrEqual(4096);
  });
});

describe("the head of a skill", () => {
  const head = (yaml: string) => `---\n${yaml}\n---\ntext`;

  it.each([
    ["plain", head("name: a\ndescription: does a"), "does a"],
    ["Windows'", "\uFEFF---\r\nname: a\r\ndescription: does a\r\n---\r\n", "does a"],
    ["folded", head("description: >\n  does\n  a\nname: a\nlicense: MIT"), "does\n  a".replace("\n  ", " ")],
    ["with control characters", head('name: a\ndescription: "does\\x01\\ta\\ud800"'), "does \ta\uFFFD"],
    ["too long", head(`name: a\ndescription: ${"ö".repeat(600)}`), "ö".repeat(512)],
  ])("is read when it is %s", (_what, text, description) => {
    expect(readSkillMeta(text)).toEqual({ name: "a", description });
  });

  it.each([
    ["", "no front matter: the first line must be ---"],
    ["text\n---\nname: a\n---", "no front matter: the first line must be ---"],
    ["---\nname: a", "front matter without end: a second line --- is missing"],
    [head("- a"), "front matter must be a mapping with name and description"],
    [head(""), "front matter must be a mapping with name and description"],
    [head("description: x"), 'front matter has no "name"'],
    [head("name: a"), 'front matter has no "description"'],
    [head("name:\ndescription: x"), 'front matter has no "name"'],
    [head("name: 3\ndescription: x"), 'front matter: "name" must be text; put it in quotes'],
    [head("name: ' '\ndescription: x"), 'front matter: "name" is empty'],
    [head(`name: ${"a".repeat(257)}\ndescription: x`), 'front matter: "name" is longer than 256 bytes'],
    [head("name: a\nname: b\ndescription: x"), /^front matter is not YAML: Map keys must be unique/],
    [head('name: "a'), /^front matter is not YAML: /],
    [head("[".repeat(30_000)), /^front matter is not YAML: /],
    [
      head(`x: &x [a,a,a]\ny: &y [${"*x,".repeat(99)}*x]\nz: [${"*y,".repeat(99)}*y]`),
      /^front matter is not YAML: Excessive alias count/,
    ],
    [head("__proto__: {name: a, description: b}"), 'front matter has no "name"'],
  ])("is refused where it is %j", (text, why) => {
    expect(() => readSkillMeta(text)).toThrow(why);
  });
});

describe("MCP servers", () => {
  const tool = { name: "find", description: "finds", inputSchema: { type: "object" } };

  it("are resources of their own, which the aggregate hash does not count", async () => {
    const {
      resources,
      aggregateHash: hash,
      payloadBytes,
    } = await snapshotOf(
      {},
      { mcpServers: () => [{ name: "search", description: "searches", tools: [tool] }] },
    );
    const json = JSON.stringify(["search", "searches", [tool]]);
    expect(resources).toMatchObject([
      {
        id: "mcp_server:mcp:search",
        kind: "mcp_server",
        source: "mcp:search",
        sourcePath: "",
        status: "ok",
        name: "search",
        description: "searches",
        sizeBytes: BigInt(json.length),
      },
    ]);
    expect([hex(resources[0]?.contentHash), hex(hash), payloadBytes]).toEqual([
      sha256(json),
      sha256(""),
      BigInt(json.length),
    ]);
  });

  it("are a change when they change, once the context is asked to look", async () => {
    let tools = [tool];
    const place = await Workplace.make();
    const context = await place.opened({ mcpServers: () => [{ name: "search", tools }] });
    let changes = 0;
    context.onChange(() => changes++);
    await context.resync();
    expect(changes).toBe(0);
    tools = [];
    expect((await context.resync()).version).toBe(2n);
    expect(changes).toBe(1);
  });

  it("spoil nothing when they are wrong", async () => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    const { resources, snapshotError } = await snapshotOf(
      { "work/AGENTS.md": "" },
      {
        mcpServers: () => [
          { name: "", tools: [] },
          { name: "a", tools: [{ ...tool, inputSchema: circular }] },
          { name: "b", tools: [{ ...tool, inputSchema: [] as never }] },
          { name: "c", tools: [{ ...tool, description: "x".repeat(65_536) }] },
          { name: "d", tools: [] },
          { name: "d", tools: [tool] },
        ],
      },
    );
    expect(resources.map(({ source, status }) => `${source.split("/").at(-1)} ${status}`)).toEqual([
      "AGENTS.md ok",
      "mcp:a invalid",
      "mcp:b invalid",
      "mcp:c oversize",
      "mcp:d ok",
    ]);
    expect(resources[2]?.error).toBe("its tools are not JSON: the schema of find is no object");
    expect(snapshotError).toBe(
      "an MCP server without a name is left out; MCP server d: there is another of that name",
    );
    const failing = () => {
      throw new Error("no catalogue");
    };
    expect((await snapshotOf({}, { mcpServers: failing })).snapshotError).toBe(
      "the MCP servers are not known: no catalogue",
    );
  });
});
