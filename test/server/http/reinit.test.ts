import { describe, expect, it } from "vitest";
import { type BuildRecord, prebuildsOwnerId } from "../../../src/store/index.js";
import { eventually, token } from "../../support/control-plane.js";
import { type HttpApi, httpApi, readEvents } from "../../support/http-api.js";

const prebuilt = {
  workspaces: [{ owner: "", name: "p", isPrebuilt: true, agents: [{ name: "main", token }] }],
};

const read = (api: HttpApi, query = "?wait=true") =>
  readEvents(`${api.plane.url}/api/v2/workspaceagents/me/reinit${query}`, token);

function publishClaim({ plane, workspaceId }: HttpApi, ownerId?: string): void {
  plane.events.publish({ topic: "claim", workspaceId, ownerId, reason: "prebuild_claimed" });
}

/** The store says that the latest build is as given, of a workspace that has its owner. */
async function withLatestBuild(
  latest: Partial<BuildRecord>,
  first: Partial<BuildRecord> = {},
): Promise<HttpApi> {
  const api = await httpApi({}, { streamPingIntervalMs: 40 });
  const { store } = api.plane;
  const known = await store.builds(api.workspaceId);
  if (known === undefined) throw new Error("no builds");
  store.builds = async () => ({
    first: { ...known.first, initiatorId: prebuildsOwnerId, ...first },
    latest: { ...known.latest, number: 2, ...latest },
  });
  return api;
}

const running = { status: "running", error: "" } as const;
const failed = { status: "failed", error: "no quota" } as const;
const succeeded = { status: "succeeded", error: "" } as const;

const notPrebuilt = "Workspace is not a prebuilt workspace waiting to be claimed.";
const handled = "The prebuild claim for this workspace has already been handled by an earlier build.";

describe("S5.29 what the store says of a claim", () => {
  it("is asked only with wait, in the words of Go (S5.27, S5.30)", async () => {
    const api = await httpApi({}, { streamPingIntervalMs: 20 });
    for (const word of ["1", "t", "T", "TRUE", "true", "True"]) {
      expect((await api.me("GET", `reinit?wait=${word}`)).status).toBe(409);
    }
    for (const query of ["", "?wait=", "?wait=0", "?wait=yes", "?wait=tRUE"]) {
      const { response, leave } = await read(api, query);
      expect(response.status).toBe(200);
      leave();
    }
  });

  it("sends an ordinary workspace away", async () => {
    const { me } = await withLatestBuild({}, { initiatorId: crypto.randomUUID() });
    const { status, json } = await me("GET", "reinit?wait=true");
    expect([status, json]).toEqual([
      409,
      { message: notPrebuilt, detail: "This endpoint is only for agents running in prebuilt workspaces." },
    ]);
  });

  it("tells of a claim that is done, once; later claims are not sent (S5.33)", async () => {
    const api = await withLatestBuild({ isClaim: true, job: succeeded });
    const { blocks } = await read(api);
    publishClaim(api);
    await eventually(() => blocks.length >= 3, "pings");
    expect(blocks.filter((block) => block.startsWith("event: data"))).toHaveLength(1);
    expect(blocks.slice(1)).not.toContain(blocks[0]);
  });

  it("sends away whose claim has failed for ever, or was handled long ago", async () => {
    const broken = await withLatestBuild({ isClaim: true, job: failed });
    const answer = await broken.me("GET", "reinit?wait=true");
    expect([answer.status, answer.json]).toEqual([
      409,
      { message: "Claim build failed permanently.", detail: "no quota" },
    ]);
    const later = await withLatestBuild({ isClaim: false, job: succeeded });
    expect((await later.me("GET", "reinit?wait=true")).json).toEqual({
      message: notPrebuilt,
      detail: handled,
    });
  });

  it.each([
    ["a claim that is under way", { isClaim: true, job: running }],
    ["a build of those who keep workspaces ready", { initiatorId: prebuildsOwnerId }],
  ])("lets wait for %s", async (_name, latest) => {
    const api = await withLatestBuild(latest);
    const { blocks } = await read(api);
    await eventually(() => blocks[0] === "event: ping", "a ping");
    publishClaim(api);
    await eventually(() => blocks.some((block) => block.startsWith("event: data")), "the event");
  });

  it("that cannot be read is 500, with what failed (S5.28)", async () => {
    const api = await httpApi();
    const generic = "An internal server error occurred.";
    const detail = async () => {
      const { status, json } = await api.me("GET", "reinit?wait=true");
      expect(status).toBe(500);
      expect(json).toMatchObject({ message: generic });
      return (json as { detail: string }).detail;
    };
    api.plane.store.builds = () => Promise.reject(new Error("password is hunter2"));
    expect(await detail()).toBe("failed to get latest workspace build");
    api.plane.events.subscribe = () => Promise.reject(new Error("down"));
    expect(await detail()).toBe("failed to subscribe to prebuild claimed channel");
  });
});

describe("S5.31 claims as they come", () => {
  it("are one line of JSON each, with the owner where there is one (S5.32, S5.33)", async () => {
    const api = await httpApi({}, prebuilt);
    const { workspaceId } = api;
    const reading = read(api);
    await eventually(() => api.plane.api.streamCount === 1, "the stream");
    publishClaim(api, "a5f201d5-c5f4-4c8c-8e98-1fad545ecee4");
    publishClaim(api);
    api.plane.events.publish({
      topic: "claim",
      workspaceId: crypto.randomUUID(),
      ownerId: undefined,
      reason: "of another workspace",
    });
    const { blocks } = await reading;
    await eventually(() => blocks.length === 2, "both events");
    const begin = `event: data\ndata: {"workspace_id":"${workspaceId}","reason":"prebuild_claimed"`;
    expect(blocks).toEqual([`${begin},"owner_id":"a5f201d5-c5f4-4c8c-8e98-1fad545ecee4"}`, `${begin}}`]);
  });

  it("that come while the store is asked are not lost", async () => {
    const api = await httpApi({}, prebuilt);
    const { store } = api.plane;
    const workspace = store.workspace.bind(store);
    let reads = 0;
    store.workspace = async (id) => {
      if (reads++ === 1) publishClaim(api);
      return workspace(id);
    };
    const { blocks } = await read(api);
    await eventually(() => blocks.length === 1, "the event");
  });

  it("end with the server, in order", async () => {
    const api = await httpApi({}, { ...prebuilt, streamPingIntervalMs: 20 });
    const { ended } = await read(api);
    await api.plane.api.close();
    await ended;
    expect(api.plane.api.streamCount).toBe(0);
    expect((await api.me("GET", "reinit?wait=true")).json).toEqual({
      message: "The server is closing. Try again.",
    });
  });
});
