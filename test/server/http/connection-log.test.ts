import { describe, expect, it } from "vitest";
import type { ApiUser } from "../../../src/server/index.js";
import { httpApi, strangerToken } from "../../support/http-api.js";

const unknownId = "00000000-0000-4000-8000-000000000001";

describe("GET /connectionlog", () => {
  async function withConnections() {
    const api = await httpApi();
    const { store } = api.plane;
    const who = { workspaceId: api.workspaceId, agentId: api.agentId, agentName: "main", ip: "10.0.0.1" };
    const ids = ["a", "b", "c"].map((letter) => `00000000-0000-4000-8000-00000000000${letter}`);
    const [first = "", second = "", third = ""] = ids;
    const none = { statusCode: undefined, reason: undefined };
    const begin = { ...who, ...none, action: "connected" } as const;
    await store.insertConnectionReports([
      { ...begin, connectionId: first, type: "ssh", atUs: 1_000_000 },
      { ...begin, connectionId: second, type: "vscode", atUs: 2_000_000, ip: undefined },
      { ...begin, connectionId: third, type: "ssh", atUs: 3_000_000 },
      {
        ...who,
        connectionId: first,
        type: "ssh",
        atUs: 4_000_000,
        action: "disconnected",
        statusCode: 7,
        reason: "bye",
      },
    ]);
    const found = async (query: string) => {
      const { json } = await api.get(`connectionlog?${query}`);
      const { connection_logs: entries } = json as { connection_logs: { connection_id: string }[] };
      return entries.map(({ connection_id: id }) => id.at(-1)).join("");
    };
    return { ...api, found };
  }

  it("has connections, newest first, with all that is known", async () => {
    const { get, agentId, workspaceId } = await withConnections();
    const { json } = await get("connectionlog");
    expect(json).toMatchObject({
      connection_logs: [
        { type: "ssh", disconnect_time: null, exit_code: null, disconnect_reason: null },
        { type: "vscode", ip: null },
        {
          connection_id: "00000000-0000-4000-8000-00000000000a",
          workspace_id: workspaceId,
          agent_id: agentId,
          agent_name: "main",
          type: "ssh",
          ip: "10.0.0.1",
          connect_time: "1970-01-01T00:00:01.000000Z",
          disconnect_time: "1970-01-01T00:00:04.000000Z",
          exit_code: 7,
          disconnect_reason: "bye",
        },
      ],
    });
  });

  it("can be asked for parts", async () => {
    const { found, agentId, workspaceId } = await withConnections();
    expect(await found("")).toBe("cba");
    expect(await found(`workspace_id=${workspaceId}&agent_id=${agentId}`)).toBe("cba");
    expect(await found(`workspace_id=${unknownId}`)).toBe("");
    expect(await found("type=ssh")).toBe("ca");
    expect(await found("open=true")).toBe("cb");
    expect(await found("open=false")).toBe("a");
    expect(await found("since=1970-01-01T00:00:02Z")).toBe("cb");
    expect(await found("until=1970-01-01T00:00:03Z&since=1970-01-01T01:00:02%2B01:00")).toBe("b");
    expect(await found("limit=1")).toBe("c");
    expect(await found("limit=1&offset=1")).toBe("b");
  });

  it("says all that is wrong with a query", async () => {
    const { get } = await httpApi();
    const query = "workspace_id=x&agent_id=y&type=telnet&since=yesterday&until=1&open=2&offset=-1&limit=0";
    const { status, json } = await get(`connectionlog?${query}`);
    expect(status).toBe(400);
    const { validations } = json as { validations: { field: string }[] };
    expect(validations.map(({ field }) => field)).toEqual([
      ...["workspace_id", "agent_id", "type", "since", "until", "open", "offset", "limit"],
    ]);
  });

  it("of everything is for those who may read everything", async () => {
    const { get, agentId, workspaceId } = await withConnections();
    expect((await get("connectionlog", strangerToken)).status).toBe(403);
    expect((await get(`connectionlog?workspace_id=${workspaceId}`, strangerToken)).status).toBe(404);
    expect((await get(`connectionlog?agent_id=${agentId}`, strangerToken)).status).toBe(404);
    expect((await get(`connectionlog?agent_id=${unknownId}`, strangerToken)).status).toBe(404);
    expect((await get("connectionlog", "nobody")).status).toBe(401);
  });

  it("of one workspace is for those who may read it", async () => {
    const authenticateUser = (): ApiUser => ({ id: "ada", mayRead: ({ name }) => name === "dev" });
    const { get, workspaceId, agentId } = await httpApi({}, { authenticateUser });
    expect((await get(`connectionlog?workspace_id=${workspaceId}`)).json).toEqual({ connection_logs: [] });
    expect((await get(`connectionlog?agent_id=${agentId}`)).json).toEqual({ connection_logs: [] });
  });
});
