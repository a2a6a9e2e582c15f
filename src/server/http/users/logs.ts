import { setImmediate } from "node:timers/promises";
import type { AgentRecord, AgentStore, LogRecord, LogSourceRecord } from "../../../store/index.js";
import { ApiError, jsonBody } from "../../api-error.js";
import { Bell, whenEnded } from "../bell.js";
import type { HttpDeps } from "../options.js";
import type { PagedAnswer, RouteAnswer, UserCall, WebSocketAnswer } from "../routes.js";
import { closeCodes, type TextSocket } from "../text-socket.js";
import { isoSeconds, isoTime } from "../times.js";
import { readableAgent } from "./access.js";

/** Lines that are read at once: at most some hundred kilobytes wait for a reader. */
const pageLines = 250;
/** Who follows looks again after so long, whatever is told. S5.46. */
const recheckIntervalMs = 60_000;

/** `GET /workspaceagents/{id}/logs`: lines after one, as JSON, as text, or as they come. S5.44–S5.46. */
export async function getLogs({ handlers }: HttpDeps, call: UserCall): Promise<RouteAnswer> {
  const { agent, workspace } = await readableAgent(handlers.store, call);
  const { after, form, isFollowed } = asked(call.query);
  if (isFollowed) return followLogs(handlers, agent, workspace.ownerId, after, call.signal);
  return form === "text"
    ? textAnswer(handlers.store, agent, after)
    : jsonPages(pages(handlers.store, agent.id, after));
}

function asked(query: URLSearchParams): { after: number; form: "json" | "text"; isFollowed: boolean } {
  const isFollowed = query.has("follow");
  const form = query.get("format") || "json";
  if (form !== "json" && form !== "text") {
    throw new ApiError(400, "Invalid format parameter.", { detail: "format must be json or text" });
  }
  if (form === "text" && isFollowed) {
    throw new ApiError(400, "Text format is not supported with follow mode.");
  }
  const after = query.get("after") || "0";
  if (!/^\d+$/.test(after) || !Number.isSafeInteger(Number(after))) {
    throw new ApiError(400, 'Query param "after" must be an integer greater than or equal to zero.');
  }
  return { after: Number(after), form, isFollowed };
}

/** Lines in the order of their ids, page by page; none for an agent without. */
async function* pages(
  store: AgentStore,
  agentId: string,
  after: number,
): AsyncGenerator<readonly LogRecord[]> {
  let last = after;
  while (true) {
    const page = await store.logs(agentId, last, pageLines);
    if (page.length > 0) yield page;
    if (page.length < pageLines) return;
    last = page.at(-1)?.id ?? last;
    // a long log is not to keep others waiting
    await setImmediate();
  }
}

function jsonPages(lines: AsyncIterable<readonly LogRecord[]>): PagedAnswer {
  async function* text() {
    let opening = "[";
    for await (const page of lines) {
      yield opening + jsonBody(page.map(lineJson)).trimEnd().slice(1, -1);
      opening = ",";
    }
    yield opening === "[" ? "[]\n" : "]\n";
  }
  return { status: 200, headers: { "Content-Type": "application/json; charset=utf-8" }, pages: text() };
}

async function textAnswer(store: AgentStore, { id, name }: AgentRecord, after: number): Promise<PagedAnswer> {
  const sources = new Map((await store.logSources(id)).map((source) => [source.id, source]));
  async function* text() {
    for await (const page of pages(store, id, after)) {
      yield page.map((line) => lineText(line, name, sources.get(line.logSourceId))).join("");
    }
  }
  return { status: 200, headers: { "Content-Type": "text/plain; charset=utf-8" }, pages: text() };
}

/** One line. S5.45. */
function lineText(line: LogRecord, agentName: string, source: LogSourceRecord | undefined): string {
  const from = source === undefined ? `agent.${agentName}` : `agent.${agentName}|${source.displayName}`;
  return `${isoSeconds(line.createdAtUs)} [${line.level}] [${from}] ${line.output}\n`;
}

function lineJson({ id, createdAtUs, output, level, logSourceId }: LogRecord) {
  return { id, created_at: isoTime(createdAtUs), output, level, source_id: logSourceId };
}

/** Lines as they come, until the agent is replaced by a newer build, or gone. S5.46. */
async function followLogs(
  { store, events }: HttpDeps["handlers"],
  agent: AgentRecord,
  ownerId: string,
  after: number,
  signal: AbortSignal,
): Promise<WebSocketAnswer> {
  const news = new Bell();
  const subscriber = { onEvent: news.ring, onDropped: news.ring };
  whenEnded(signal, await events.subscribe({ of: "logs", agentId: agent.id }, subscriber));
  whenEnded(signal, await events.subscribe({ of: "owner", ownerId }, subscriber));
  return {
    goodbye: { code: closeCodes.goingAway, reason: "The server is closing." },
    async followMessages(socket) {
      let last = after;
      let isFirst = true;
      while (!signal.aborted) {
        const isOver = await isReplaced(store, agent);
        last = await sendNews(socket, store, agent.id, last, isFirst, signal);
        isFirst = false;
        if (isOver) return socket.close(closeCodes.normal);
        await news.wait(recheckIntervalMs, signal);
      }
    },
  };
}

/** Sends what is there after a line, each page when the one before is on its way. @returns the last line's id. */
async function sendNews(
  socket: TextSocket,
  store: AgentStore,
  agentId: string,
  after: number,
  isFirst: boolean,
  signal: AbortSignal,
): Promise<number> {
  let last = after;
  let hasSent = false;
  for await (const page of pages(store, agentId, after)) {
    await socket.send(page.map(lineJson));
    hasSent = true;
    last = page.at(-1)?.id ?? last;
    if (signal.aborted) return last;
  }
  // the first message tells the client that there is nothing yet
  if (isFirst && !hasSent) await socket.send([]);
  return last;
}

async function isReplaced(store: AgentStore, { id, workspaceId, buildId }: AgentRecord): Promise<boolean> {
  const [agent, builds] = await Promise.all([store.agent(id), store.builds(workspaceId)]);
  return agent === undefined || builds?.latest.id !== buildId;
}
