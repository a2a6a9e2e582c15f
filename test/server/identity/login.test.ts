import { sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { identityHandlers } from "../../../src/server/identity/index.js";
import type { AgentStore } from "../../../src/store/index.js";
import { certificate, rsaKeys, testTimeMs } from "./certificates.js";
import { handlersWith, storeOf } from "./stores.js";

const aws = certificate({ name: "aws", keyPair: rsaKeys(1024) });
const identity = { aws: { certificates: { r: aws.pem } }, nowUs: () => testTimeMs * 1000 };

function body(instanceId: string, more: object = {}): object {
  const document = JSON.stringify({ region: "r", instanceId });
  const signature = sign("sha256", Buffer.from(document), aws.key).toString("base64");
  return { document, signature, ...more };
}

const handlerOn = (store: AgentStore) => identityHandlers({ store, identity }).aws;

describe("which agent a machine is, S5.41", () => {
  it("none: 404", async () => {
    const { handlers } = await handlersWith(identity, { main: undefined });
    expect(await handlers.aws(body("i-1"))).toEqual({
      status: 404,
      json: { message: 'Instance with id "i-1" not found.' },
    });
    expect((await handlers.aws(body("i-1", { agent_name: "main" }))).json).toEqual({
      message: 'Instance with id "i-1" not found.',
    });
  });

  it("a name that none of them has: 404", async () => {
    const { handlers } = await handlersWith(identity, { main: "i-1", other: "i-2" });
    expect(await handlers.aws(body("i-1", { agent_name: " other " }))).toEqual({
      status: 404,
      json: { message: 'No agent found with instance ID "i-1" and name "other".' },
    });
  });

  it("several and no name: 409 with their names in order", async () => {
    const { handlers } = await handlersWith(identity, { web: "i-1", api: "i-1", other: "i-2", db: "i-1" });
    for (const agent_name of [undefined, null, "", " \t"]) {
      expect(await handlers.aws(body("i-1", { agent_name }))).toEqual({
        status: 409,
        json: {
          message:
            'Multiple agents found with instance ID "i-1". Set CODER_AGENT_NAME to one of: api, db, web',
        },
      });
    }
  });

  it("several and a name: the one, blanks around the name do not count", async () => {
    const { handlers, token } = await handlersWith(identity, { web: "i-1", api: "i-1" });
    expect(await handlers.aws(body("i-1", { agent_name: "\n api " }))).toEqual({
      status: 200,
      json: { session_token: token("api") },
    });
  });

  it("an agent whose build is not the latest: 400", async () => {
    const agent = { name: "main", instanceId: "i-1", workspaceId: "w", buildId: "first", createdAtUs: 1 };
    const refusal = {
      status: 400,
      json: { message: 'Resource found for id "i-1", but isn\'t registered on the latest history.' },
    };
    expect(await handlerOn(storeOf([agent], { w: "second" }))(body("i-1"))).toEqual(refusal);
    expect(await handlerOn(storeOf([agent], {}))(body("i-1"))).toEqual(refusal);
    const ok = await handlerOn(storeOf([{ ...agent, authToken: "t" }], { w: "first" }))(body("i-1"));
    expect(ok).toEqual({ status: 200, json: { session_token: "t" } });
  });

  it("after another start it is the agent of the new build, after a stop none", async () => {
    const { handlers, store, token } = await handlersWith(identity, { main: "i-1" });
    const [workspace] = await store.workspaces();
    const [before] = await store.agentsByInstanceId("i-1");
    await store.newBuild(workspace?.id ?? "", { transition: "start" });
    const [after] = await store.agentsByInstanceId("i-1");
    expect(after?.id).not.toBe(before?.id);
    expect(await handlers.aws(body("i-1"))).toEqual({ status: 200, json: { session_token: token("main") } });
    await store.newBuild(workspace?.id ?? "", { transition: "stop" });
    expect((await handlers.aws(body("i-1"))).status).toBe(404);
  });

  it("of two with one name, in different workspaces, the newest", async () => {
    const row = { name: "main", instanceId: "i-1" };
    const store = storeOf(
      [
        { ...row, workspaceId: "old", buildId: "a", createdAtUs: 1, authToken: "old" },
        { ...row, workspaceId: "new", buildId: "b", createdAtUs: 2, authToken: "new" },
      ],
      { old: "a", new: "b" },
    );
    const answer = await handlerOn(store)(body("i-1", { agent_name: "main" }));
    expect(answer.json).toEqual({ session_token: "new" });
    expect((await handlerOn(store)(body("i-1"))).status).toBe(409);
  });

  it("a store that fails: 500, and nothing of it is told", async () => {
    const broken = {
      agentsByInstanceId: () => Promise.reject(new Error("password=1")),
    } as Partial<AgentStore> as AgentStore;
    expect(await handlerOn(broken)(body("i-1"))).toEqual({
      status: 500,
      json: { message: "An internal server error occurred." },
    });
  });

  it("who listens to refusals and fails does not change the answer", async () => {
    const onRefused = () => {
      throw new Error("listener");
    };
    const { handlers } = await handlersWith({ ...identity, onRefused });
    expect((await handlers.aws({ document: "d", signature: "s" })).status).toBe(401);
  });
});

describe("bodies of logins, S5.2 and S5.39", () => {
  const missing = (...fields: string[]) => ({
    status: 400,
    json: {
      message: "Validation failed.",
      validations: fields.map((field) => ({
        field,
        detail: 'Validation failed for tag "required" with value: ""',
      })),
    },
  });

  it("fields that are required must be there", async () => {
    const { handlers } = await handlersWith(identity);
    expect(await handlers.aws({})).toEqual(missing("signature", "document"));
    expect(await handlers.aws({ signature: "s", document: "", agent_name: "a" })).toEqual(
      missing("document"),
    );
    expect(await handlers.azure({ agent_name: "a" })).toEqual(missing("signature", "encoding"));
    expect(await handlers.azure({ signature: "s" })).toEqual(missing("encoding"));
    expect(await handlers.google({ json_web_token: null })).toEqual(missing("json_web_token"));
    expect(await handlers.google(null)).toEqual(missing("json_web_token"));
  });

  it.each([
    [[], "The body must be an object."],
    ["text", "The body must be an object."],
    [{ signature: 5 }, "signature must be a string."],
    [{ signature: "s", document: {} }, "document must be a string."],
    [{ signature: "s", document: "d", agent_name: [] }, "agent_name must be a string."],
  ])("%j is not such a body", async (value, detail) => {
    const { handlers } = await handlersWith(identity);
    expect(await handlers.aws(value)).toEqual({
      status: 400,
      json: { message: "Request body must be valid JSON.", detail },
    });
  });
});
