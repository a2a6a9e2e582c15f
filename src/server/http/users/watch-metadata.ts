import type { AgentRecord, MetadataRecord } from "../../../store/index.js";
import type { ServerEvent } from "../../events/index.js";
import { Bell, whenEnded } from "../bell.js";
import type { HttpDeps } from "../options.js";
import type { EventStreamAnswer, UserCall, WebSocketAnswer } from "../routes.js";
import { closeCodes } from "../text-socket.js";
import { isoTime, neverTime } from "../times.js";
import { readableAgent } from "./access.js";

const tickMs = 1000;
/** The same is sent again after so long: its age has changed. */
const repeatMs = 5000;
/** The age of what has never been collected: the longest that the API can say. */
const longestAgeSeconds = 9_223_372_036;

/** Where values go. */
interface Reader {
  /** True while the reader has not taken what was sent: then values are left out. */
  isBehind(): boolean;
  send(kind: "data" | "error", value: unknown): void;
}

/** `GET /workspaceagents/{id}/watch-metadata`: values as server-sent events. S5.47. */
export async function watchMetadataEvents(deps: HttpDeps, call: UserCall): Promise<EventStreamAnswer> {
  const { agent } = await readableAgent(deps.handlers.store, call);
  return {
    followEvents: (stream) =>
      watch(deps, agent, call.signal, {
        isBehind: () => stream.isBehind,
        send: (kind, value) => stream.send(kind, value),
      }),
  };
}

/** `GET /workspaceagents/{id}/watch-metadata-ws`: the same over a WebSocket. S5.47. */
export async function watchMetadataMessages(deps: HttpDeps, call: UserCall): Promise<WebSocketAnswer> {
  const { agent } = await readableAgent(deps.handlers.store, call);
  return {
    goodbye: { code: closeCodes.normal, reason: "Connection closed" },
    followMessages: (socket) =>
      watch(deps, agent, call.signal, {
        isBehind: () => socket.bufferedBytes > 0,
        send: (type, data) => void socket.send({ type, data }),
      }),
  };
}

/** Sends values at once, when they change, and now and then; until the agent is gone or the signal ends. */
async function watch(
  { handlers }: HttpDeps,
  agent: AgentRecord,
  signal: AbortSignal,
  reader: Reader,
): Promise<void> {
  const news = new Changes(agent.id);
  whenEnded(signal, await handlers.events.subscribe({ of: "metadata" }, news));
  const clock = new Bell();
  let sentAtMs = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    const isDue = performance.now() - sentAtMs >= repeatMs;
    if ((isDue || news.areThere) && !reader.isBehind()) {
      news.areThere = false;
      const values = await valuesOf(handlers, agent.id);
      if (values === "failed") return reader.send("error", { message: "Failed to get metadata." });
      if (values === "gone" || signal.aborted) return;
      sentAtMs = performance.now();
      const nowUs = handlers.nowUs();
      reader.send(
        "data",
        values.map((row) => metadataJson(row, nowUs)),
      );
    }
    await clock.wait(tickMs, signal);
  }
}

/** Whether an agent has new values. */
class Changes {
  areThere = false;
  readonly #agentId: string;

  constructor(agentId: string) {
    this.#agentId = agentId;
  }

  onEvent(event: ServerEvent): void {
    if (event.topic === "metadata" && event.agentIds.includes(this.#agentId)) this.areThere = true;
  }

  onDropped(): void {
    this.areThere = true;
  }
}

/** By display order, then key. */
async function valuesOf(
  { store }: HttpDeps["handlers"],
  agentId: string,
): Promise<readonly MetadataRecord[] | "gone" | "failed"> {
  try {
    if ((await store.agent(agentId)) === undefined) return "gone";
    return (await store.manifestRecords(agentId)).metadata;
  } catch {
    return "failed";
  }
}

function metadataJson(row: MetadataRecord, nowUs: number) {
  const { collectedAtUs } = row;
  const ageSeconds = Math.floor((nowUs - (collectedAtUs ?? 0)) / 1_000_000);
  return {
    result: {
      collected_at: collectedAtUs === undefined ? neverTime : isoTime(collectedAtUs),
      age: collectedAtUs === undefined ? longestAgeSeconds : Math.max(0, ageSeconds),
      value: row.value,
      error: row.error,
    },
    description: {
      display_name: row.displayName,
      key: row.key,
      script: row.script,
      interval: row.intervalSeconds,
      timeout: row.timeoutSeconds,
    },
  };
}
