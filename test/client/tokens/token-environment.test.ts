import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  authKinds,
  type TokenEnvironmentOptions,
  TokenSettingError,
  tokenSourceFromEnvironment,
} from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";
import { fileWith } from "../../support/files.js";
import { runs } from "../../support/scale.js";
import { clouds, givesToken, metadataOf, recordingServer, type Seen, secrets } from "./fake-cloud.js";

const never = new AbortController().signal;
const url = "http://127.0.0.1:9";

async function tokenBy(options: TokenEnvironmentOptions): Promise<string> {
  return (await tokenSourceFromEnvironment(options)).get(never);
}

async function refusal(options: TokenEnvironmentOptions): Promise<[string, string]> {
  const error = await failure(tokenSourceFromEnvironment(options));
  expect(error).toBeInstanceOf(TokenSettingError);
  return [(error as unknown as TokenSettingError).setting, error.message];
}

const either = ["token", "Either CODER_AGENT_TOKEN or CODER_AGENT_TOKEN_FILE must be set"];
const blank = ["token", "CODER_AGENT_TOKEN or CODER_AGENT_TOKEN_FILE must be set for token auth"];
const noUrl = ["url", "CODER_AGENT_URL must be set"];

describe("C1.39 the source of the token that the environment says", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("is a token, which goes before a file", async () => {
    const env = { CODER_AGENT_URL: url, CODER_AGENT_TOKEN: " one\n", CODER_AGENT_TOKEN_FILE: "/none" };
    expect(await tokenBy({ env })).toBe("one");
  });

  it("is a file", async () => {
    const env = {
      CODER_AGENT_URL: url,
      CODER_AGENT_TOKEN: "",
      CODER_AGENT_TOKEN_FILE: await fileWith("two\n"),
    };
    expect(await tokenBy({ env })).toBe("two");
    expect(await tokenBy({ env: { ...env, CODER_AGENT_AUTH: "token" } })).toBe("two");
  });

  it("is that of the process by default", async () => {
    vi.stubEnv("CODER_AGENT_URL", url);
    vi.stubEnv("CODER_AGENT_TOKEN", "three");
    expect(await tokenBy({})).toBe("three");
  });

  it("is what is given, before the environment, also a file before a token there", async () => {
    const env = {
      CODER_AGENT_AUTH: "aws-instance-identity",
      CODER_AGENT_TOKEN: "env",
      CODER_AGENT_TOKEN_FILE: "/none",
    };
    expect(await tokenBy({ env, url, token: "given" })).toBe("given");
    expect(await tokenBy({ env, url, tokenFile: await fileWith("file") })).toBe("file");
    expect(await tokenBy({ env, url, token: "given", tokenFile: "/none" })).toBe("given");
    expect(await tokenBy({ env, url, auth: "token" })).toBe("env");
  });

  const names = [
    ["aws-instance-identity", "AWS"],
    ["aws", "AWS"],
    ["azure-instance-identity", "Azure"],
    ["azure", "Azure"],
    ["google-instance-identity", "Google Cloud"],
    ["gcp", "Google Cloud"],
  ] as const;

  it.each(names)(
    "is, with %s, the identity of a machine of %s, and tokens do not count",
    async (auth, name) => {
      const cloud = clouds.find((one) => one.name === name);
      if (cloud === undefined) throw new Error("no such cloud");
      const seen: Seen[] = [];
      const metadata = { url: await recordingServer(seen, metadataOf(cloud)) };
      const env = {
        CODER_AGENT_URL: await recordingServer(seen, givesToken),
        CODER_AGENT_AUTH: auth,
        CODER_AGENT_NAME: "api",
        CODER_AGENT_TOKEN: "env",
      };
      expect(await tokenBy({ env, metadata })).toBe(secrets.sessionToken);
      expect(seen.at(-1)?.line).toBe(cloud.login.line);
      expect(JSON.parse(seen.at(-1)?.body ?? "")).toEqual({ ...cloud.login.body, agent_name: "api" });
      await tokenBy({ env: { ...env, CODER_AGENT_AUTH: "" }, auth, metadata, agentName: "web" });
      expect(JSON.parse(seen.at(-1)?.body ?? "")).toMatchObject({ agent_name: "web" });
    },
  );

  it("knows these kinds", () => {
    expect([...authKinds].sort()).toEqual(["token", ...names.map(([auth]) => auth)].sort());
  });
});

describe("C1.40 settings that are missing or cannot be used", () => {
  const file = "/none/at all";
  it.each([
    ["no URL, before all else", {}, noUrl],
    ["no URL, and a kind that there is not", { CODER_AGENT_AUTH: "oops" }, noUrl],
    ["an empty URL", { CODER_AGENT_URL: "", CODER_AGENT_TOKEN: "t" }, noUrl],
    ["neither token nor file", { CODER_AGENT_URL: url }, either],
    [
      "both empty",
      { CODER_AGENT_URL: url, CODER_AGENT_TOKEN: "", CODER_AGENT_TOKEN_FILE: "", CODER_AGENT_AUTH: "token" },
      either,
    ],
    [
      "a file that is not there",
      { CODER_AGENT_URL: url, CODER_AGENT_TOKEN_FILE: file },
      ["tokenFile", expect.stringMatching(/^read token file "\/none\/at all": ENOENT/)],
    ],
    [
      "a blank token",
      { CODER_AGENT_URL: url, CODER_AGENT_TOKEN: " \n", CODER_AGENT_TOKEN_FILE: file },
      blank,
    ],
    ["a blank file", { CODER_AGENT_URL: url, CODER_AGENT_TOKEN_FILE: "/dev/null" }, blank],
    [
      "a kind that there is not, whatever the token",
      { CODER_AGENT_URL: url, CODER_AGENT_AUTH: "oops", CODER_AGENT_TOKEN: " " },
      ["auth", "unknown agent auth type: oops"],
    ],
    [
      "a kind with a name of JavaScript",
      { CODER_AGENT_URL: url, CODER_AGENT_AUTH: "constructor" },
      ["auth", "unknown agent auth type: constructor"],
    ],
  ])("%s", async (_what, env, expected) => {
    expect(await refusal({ env })).toEqual(expected);
  });

  it("are told in this order, whatever else is set", async () => {
    const setting = fc.constantFrom(undefined, "", " ", "set");
    const env = fc.record({
      CODER_AGENT_URL: fc.constantFrom(undefined, "", url),
      CODER_AGENT_AUTH: fc.constantFrom(undefined, "", "token", "nope"),
      CODER_AGENT_TOKEN: setting,
      CODER_AGENT_TOKEN_FILE: fc.constantFrom(undefined, "", "/dev/null", "/none"),
    });
    await fc.assert(
      fc.asyncProperty(env, async (env) => {
        const outcome = await tokenBy({ env }).catch(({ message }: Error) => message);
        const { CODER_AGENT_TOKEN: token, CODER_AGENT_TOKEN_FILE: path } = env;
        if (!env.CODER_AGENT_URL) expect(outcome).toBe(noUrl[1]);
        else if (env.CODER_AGENT_AUTH === "nope") expect(outcome).toBe("unknown agent auth type: nope");
        else if (!token && !path) expect(outcome).toBe(either[1]);
        else if (!token && path === "/none") expect(outcome).toMatch(/^read token file "\/none": /);
        else expect(outcome).toBe(token?.trim() || blank[1]);
      }),
      runs(200),
    );
  });
});
