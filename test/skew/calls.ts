import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AgentConnection,
  AppHealth,
  AppStatusState,
  ConnectionAction,
  ConnectionType,
  externalLogSourceId,
  LifecycleState,
  TimingStage,
  TimingStatus,
  UnsupportedByServerError,
} from "../../src/client/index-node.js";
import { parseUuid } from "../../src/codec/index.js";
import type { ApiMethod } from "../../src/version/index.js";
import { collect } from "../support/echo.js";
import type { Outcome } from "./expectations.js";

/** What the agent has that calls are about. */
export interface Subject {
  appId: Uint8Array;
  scriptId: Uint8Array;
  /** That the agent has just made; of nobody before. */
  subAgentId: Uint8Array;
  /** Each report and each name is another. */
  count: number;
}

const uuid = (text: string) => parseUuid(text) ?? new Uint8Array();

export const subject = (appId: Uint8Array, scriptId: Uint8Array): Subject => ({
  appId,
  scriptId,
  subAgentId: uuid(crypto.randomUUID()),
  count: 0,
});

async function first<T>(messages: AsyncIterable<T>): Promise<T> {
  for await (const message of messages) return message;
  throw new Error("the stream had nothing");
}

/** A call of each RPC that a server does, told of the agent. */
export const calls: Record<ApiMethod, (on: AgentConnection, about: Subject) => Promise<unknown>> = {
  getManifest: ({ agent }) => agent.getManifest({}),
  getServiceBanner: ({ agent }) => agent.getServiceBanner({}),
  updateStats: ({ agent }) => agent.updateStats({}),
  updateLifecycle: ({ agent }) => agent.updateLifecycle({ lifecycle: { state: LifecycleState.READY } }),
  batchUpdateAppHealths: ({ agent }, { appId }) =>
    agent.batchUpdateAppHealths({ updates: [{ id: appId, health: AppHealth.HEALTHY }] }),
  updateStartup: ({ agent }) => agent.updateStartup({ startup: { version: "v1", subsystems: [] } }),
  batchUpdateMetadata: ({ agent }) =>
    agent.batchUpdateMetadata({ metadata: [{ key: "cpu", result: { value: "1" } }] }),
  batchCreateLogs: ({ agent }) =>
    agent.batchCreateLogs({ logSourceId: uuid(externalLogSourceId), logs: [{ output: "hello" }] }),
  getAnnouncementBanners: ({ agent }) => agent.getAnnouncementBanners({}),
  scriptCompleted: ({ agent }, { scriptId, count }) =>
    agent.scriptCompleted({
      timing: {
        scriptId,
        start: timestampFromMs(1_700_000_000_000 + count),
        end: timestampFromMs(1_700_000_000_000 + count),
        stage: TimingStage.START,
        status: TimingStatus.OK,
      },
    }),
  getResourcesMonitoringConfiguration: ({ agent }) => agent.getResourcesMonitoringConfiguration({}),
  pushResourcesMonitoringUsage: ({ agent }) => agent.pushResourcesMonitoringUsage({ datapoints: [] }),
  reportConnection: ({ agent }) =>
    agent.reportConnection({
      connection: {
        id: uuid(crypto.randomUUID()),
        action: ConnectionAction.CONNECT,
        type: ConnectionType.SSH,
        timestamp: timestampFromMs(1_700_000_000_000),
      },
    }),
  createSubAgent: async ({ agent }, about) => {
    const { agent: made } = await agent.createSubAgent({
      name: `sub-${about.count}`,
      directory: "/projects",
      architecture: "amd64",
      operatingSystem: "linux",
    });
    if (made !== undefined) about.subAgentId = made.id;
  },
  deleteSubAgent: ({ agent }, { subAgentId }) => agent.deleteSubAgent({ id: subAgentId }),
  listSubAgents: ({ agent }) => agent.listSubAgents({}),
  reportBoundaryLogs: ({ agent }) =>
    agent.reportBoundaryLogs({
      sessionId: crypto.randomUUID(),
      logs: [{ allowed: true, sequenceNumber: 1 }],
    }),
  updateAppStatus: ({ agent }) =>
    agent.updateAppStatus({ slug: "web", state: AppStatusState.IDLE, message: "waiting" }),
  pushContextState: ({ agent }) => agent.pushContextState({ version: 1n, initial: true }),
  streamDERPMaps: ({ tailnet }) => first(tailnet.streamDERPMaps({})),
  coordinate: ({ tailnet }) =>
    collect(
      tailnet.coordinate(
        (async function* () {
          yield { disconnect: {} };
        })(),
      ),
    ),
  postTelemetry: ({ tailnet }) => tailnet.postTelemetry({}),
  refreshResumeToken: ({ tailnet }) => tailnet.refreshResumeToken({}),
  workspaceUpdates: ({ tailnet }) => first(tailnet.workspaceUpdates({})),
};

/** Whether a call was answered, or refused with the error that is meant for it; throws any other. */
export async function answered(call: Promise<unknown>, method: ApiMethod): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof UnsupportedByServerError && error.method === method) return false;
    throw error;
  }
}

/**
 * Makes a call of each RPC, oldest first, each twice: what has been found out is remembered.
 * @param handled the methods that a handler of the server has answered so far.
 * @returns what became of each.
 */
export async function outcomesOf(
  connection: AgentConnection,
  methods: readonly ApiMethod[],
  about: Subject,
  handled: () => readonly string[] | Promise<readonly string[]>,
): Promise<Record<string, Outcome>> {
  const outcomes: Record<string, Outcome> = {};
  for (const method of methods) {
    for (const turn of ["first", "again"]) {
      about.count++;
      const before = (await handled()).length;
      const isAnswered = await answered(calls[method](connection, about), method);
      const byItself = (await handled()).slice(before).includes(method);
      const outcome = !isAnswered ? "unsupported" : byItself ? "works" : "goes the older way";
      if (turn === "again" && outcomes[method] !== outcome) throw new Error(`${method} ${outcome} ${turn}`);
      outcomes[method] = outcome;
      // what is deleted is not there to be deleted again
      if (method === "deleteSubAgent") break;
    }
  }
  return outcomes;
}
