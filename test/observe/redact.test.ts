import { create, toJson } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  BatchCreateLogsRequestSchema,
  BatchUpdateMetadataRequestSchema,
  CreateSubAgentResponseSchema,
  ManifestSchema,
} from "../../src/gen/coder/agent/v2/agent_pb.js";
import { RefreshResumeTokenResponseSchema } from "../../src/gen/coder/tailnet/v2/index_pb.js";
import { hideSecrets, showSecrets } from "../../src/observe/redact.js";

const secret = Buffer.from("very secret");

describe("secrets in messages", () => {
  it("are hidden: the environment and the secrets of a manifest, their names stay", () => {
    const manifest = create(ManifestSchema, {
      agentName: "main",
      environmentVariables: { EDITOR: "vi", API: "very secret" },
      secrets: [{ envName: "KEY", filePath: "/run/key", value: secret }],
      apps: [{ slug: "web", url: "http://me:very-secret@localhost/?port=1&access_token=very-secret#x" }],
    });
    const json = hideSecrets().json(ManifestSchema, toJson(ManifestSchema, manifest));
    expect(json).toEqual({
      agentName: "main",
      environmentVariables: { EDITOR: "[hidden]", API: "[hidden]" },
      secrets: [{ envName: "KEY", filePath: "/run/key", value: "[hidden]" }],
      apps: [{ slug: "web", url: "http://[hidden]@localhost/?port=1&access_token=[hidden]#x" }],
    });
  });

  it("are hidden: the tokens of agents of agents, and those to come back with", () => {
    const created = create(CreateSubAgentResponseSchema, { agent: { name: "sub", authToken: secret } });
    expect(
      hideSecrets().json(CreateSubAgentResponseSchema, toJson(CreateSubAgentResponseSchema, created)),
    ).toEqual({
      agent: { name: "sub", authToken: "[hidden]" },
    });
    const resume = create(RefreshResumeTokenResponseSchema, {
      token: "very secret",
      refreshIn: { seconds: 60n },
    });
    expect(
      hideSecrets().json(RefreshResumeTokenResponseSchema, toJson(RefreshResumeTokenResponseSchema, resume)),
    ).toEqual({ token: "[hidden]", refreshIn: "60s" });
  });

  it("are hidden: what is reported under a name that says so", () => {
    const request = create(BatchUpdateMetadataRequestSchema, {
      metadata: [
        { key: "api_token", result: { value: "very secret" } },
        { key: "cpu", result: { value: "3 %" } },
      ],
    });
    expect(
      hideSecrets().json(BatchUpdateMetadataRequestSchema, toJson(BatchUpdateMetadataRequestSchema, request)),
    ).toEqual({
      metadata: [
        { key: "api_token", result: { value: "[hidden]" } },
        { key: "cpu", result: { value: "3 %" } },
      ],
    });
  });

  it("are hidden by their looks in lines of log", () => {
    const lines: Record<string, string> = {
      "password=very-secret and more": "password=[hidden] and more",
      'curl -H "Authorization: Bearer abcdef0123456789"': 'curl -H "Authorization: [hidden] [hidden]"',
      '{"api_key": "very-secret", "port": 80}': '{"api_key": "[hidden]", "port": 80}',
      "git clone https://ada:ghx@example.com/x.git": "git clone https://[hidden]@example.com/x.git",
      "token ghp_0123456789abcdefghijABCDEFGHIJ000000": "token [hidden]",
      "-----BEGIN RSA PRIVATE KEY-----\nAAAA": "[hidden]",
      "building main.ts: 3 files, 12:30:01": "building main.ts: 3 files, 12:30:01",
    };
    const request = create(BatchCreateLogsRequestSchema, {
      logs: Object.keys(lines).map((output) => ({ output })),
    });
    const json = hideSecrets().json(
      BatchCreateLogsRequestSchema,
      toJson(BatchCreateLogsRequestSchema, request),
    );
    expect(json).toEqual({ logs: Object.values(lines).map((output) => ({ output })) });
  });

  it("are shown where that is wanted", () => {
    const manifest = create(ManifestSchema, { environmentVariables: { EDITOR: "vi" } });
    expect(showSecrets.json(ManifestSchema, toJson(ManifestSchema, manifest))).toEqual({
      environmentVariables: { EDITOR: "vi" },
    });
  });
});

describe("secrets in headers and texts", () => {
  it.each([
    ["coder-session-token", "abc", "[hidden]"],
    ["authorization", "Bearer abc", "[hidden]"],
    ["cookie", "a=b", "[hidden]"],
    ["x-api-key", "abc", "[hidden]"],
    ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="],
    ["user-agent", "Go-http-client/1.1", "Go-http-client/1.1"],
  ])("%s: %s", (name, value, shown) => {
    expect(hideSecrets().named(name, value)).toBe(shown);
  });

  it("are hidden in queries, whatever else is there", () => {
    expect(hideSecrets().text("/coordinate?resume_token=abc&version=2.0&coder_session_token=def")).toBe(
      "/coordinate?resume_token=[hidden]&version=2.0&coder_session_token=[hidden]",
    );
  });

  it("are hidden where they are known, as they are and in JSON, unless they are too short to be one", () => {
    const secret = 'pass"word of mine';
    const redaction = hideSecrets([`${secret}\n`, "short"]);
    const said = JSON.stringify({ said: JSON.stringify(secret) });
    expect(redaction.text(`${secret}, ${JSON.stringify(secret)}, ${said}, short`)).toBe(
      '[hidden], "[hidden]", {"said":"\\"[hidden]\\""}, short',
    );
  });

  it("cost time in proportion to the text, whatever it is", () => {
    const redaction = hideSecrets();
    for (const piece of [
      "a",
      "a:",
      "a.",
      "eyJ-",
      "token=",
      "://",
      "://a:",
      "-----BEGIN ",
      "bearer ",
      "gho_",
      "xoxb-",
      "= ",
    ]) {
      const text = piece.repeat(200_000 / piece.length);
      redaction.text(text);
    }
  });
});
