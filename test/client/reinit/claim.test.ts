import { describe, expect, it } from "vitest";
import {
  type ReinitError,
  type ReinitEvent,
  reinitEvents,
  reinitsFor,
} from "../../../src/client/index-node.js";
import { prebuildsOwnerId } from "../../../src/store/index.js";
import { eventually, token } from "../../support/control-plane.js";
import { type HttpApi, httpApi } from "../../support/http-api.js";

const prebuilt = {
  workspaces: [{ owner: "", name: "pool", isPrebuilt: true, agents: [{ name: "main", token }] }],
  streamPingIntervalMs: 20,
};

async function claim({ plane, workspaceId }: HttpApi): Promise<string> {
  await plane.store.claim(workspaceId, "ada", "mine");
  const ownerId = (await plane.store.workspace(workspaceId))?.ownerId ?? "";
  plane.events.publish({ topic: "claim", workspaceId, ownerId, reason: "prebuild_claimed" });
  return ownerId;
}

function listening(api: HttpApi) {
  const errors: ReinitError[] = [];
  const refusals: ReinitError[] = [];
  const abort = new AbortController();
  const events = reinitEvents({
    url: api.plane.url,
    token,
    signal: abort.signal,
    onError: (error) => errors.push(error),
    onRefused: (error) => refusals.push(error),
  });
  return { events, errors, refusals, abort };
}

describe("an agent of a prebuilt workspace, at a control plane", () => {
  it("hears of the claim once, and is done when it hears of it again (C1.67, C1.68)", async () => {
    const api = await httpApi({}, prebuilt);
    const { events, errors } = listening(api);
    const heard: ReinitEvent[] = [];
    const done = (async () => {
      for await (const event of reinitsFor(events)) heard.push(event);
    })();
    await eventually(() => api.plane.api.streamCount === 1, "the stream");
    const ownerId = await claim(api);
    expect(ownerId).not.toBe(prebuildsOwnerId);
    await done;
    expect(heard).toEqual([{ workspaceId: api.workspaceId, reason: "prebuild_claimed", ownerId }]);
    expect(errors).toEqual([]);
    await eventually(() => api.plane.api.streamCount === 0, "the end of the streams");
  });

  it("hears of a claim that was before it listened", async () => {
    const api = await httpApi({}, prebuilt);
    const ownerId = await claim(api);
    const { events } = listening(api);
    const { value } = await events.next();
    expect(value).toEqual({ workspaceId: api.workspaceId, reason: "prebuild_claimed", ownerId });
    await events.return();
  });

  it("listens again after the server was away", async () => {
    const api = await httpApi({}, prebuilt);
    const { events, errors, abort } = listening(api);
    const next = events.next();
    await eventually(() => api.plane.api.streamCount === 1, "the stream");
    await api.plane.api.close();
    await eventually(() => errors.length > 1, "two failures");
    expect(errors[0]?.message).toBe(
      "listening for reinitialization events: failed to read server-sent event: reading next string: EOF",
    );
    expect(errors[1]).toMatchObject({ status: 503 });
    abort.abort();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it("is sent away where the workspace is an ordinary one", async () => {
    const api = await httpApi();
    const { events, refusals, errors } = listening(api);
    for await (const _event of events) throw new Error("no event was sent");
    expect(errors).toEqual([]);
    expect(refusals[0]?.cause).toMatchObject({
      status: 409,
      reason: "Workspace is not a prebuilt workspace waiting to be claimed.",
      detail: "This endpoint is only for agents running in prebuilt workspaces.",
    });
  });
});
