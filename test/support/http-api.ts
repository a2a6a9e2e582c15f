import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import type { ApiUser, ControlPlane, ControlPlaneOptions, ServerEvent } from "../../src/server/index.js";
import { ApiError } from "../../src/server/index.js";
import type { AgentDefinition } from "../../src/store/index.js";
import { controlPlane, token } from "./control-plane.js";

/** Who may read everything, and connect to all agents. */
export const adminToken = "admin-token";
/** Who may read everything, and connect to none. */
export const readerToken = "reader-token";
/** Who may read nothing. */
export const strangerToken = "stranger-token";

/** A control plane that knows three users, and what tests ask of it. */
export interface HttpApi {
  plane: ControlPlane;
  agentId: string;
  workspaceId: string;
  events: ServerEvent[];
  /** As the agent. */
  me(method: string, path: string, body?: unknown): Promise<Answer>;
  /** As the user who may read everything, or as another one. */
  get(path: string, userToken?: string): Promise<Answer>;
}

/** An answer, read. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** Undefined where the body is no JSON. */
  json: unknown;
}

export async function httpApi(
  agent: Partial<AgentDefinition> = {},
  options: ControlPlaneOptions = {},
): Promise<HttpApi> {
  const plane = await controlPlane(agent, { authenticateUser, ...options });
  const events: ServerEvent[] = [];
  onTestFinished(plane.events.onPublish((event) => void events.push(event)));
  const agentId = plane.agents[0]?.id ?? "";
  const workspaceId = (await plane.store.agent(agentId))?.workspaceId ?? "";
  return {
    ...{ plane, agentId, workspaceId, events },
    me: (method, path, body) =>
      answered(`${plane.url}/api/v2/workspaceagents/me/${path}`, {
        method,
        headers: { "Coder-Session-Token": token },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
    get: (path, userToken = adminToken) =>
      answered(`${plane.url}/api/v2/${path}`, { headers: { "Coder-Session-Token": userToken } }),
  };
}

/** Makes a request and reads its answer. */
export async function answered(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json; charset=utf-8";
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson && text !== "" ? (JSON.parse(text) as unknown) : undefined,
  };
}

function authenticateUser({ token: given }: { token: string | undefined }): ApiUser {
  if (given === adminToken) return { id: "admin", mayRead: "everything", mayConnect: "everything" };
  if (given === readerToken) return { id: "reader", mayRead: "everything" };
  if (given === strangerToken) return { id: "stranger", mayRead: () => false };
  throw new ApiError(401, "API key or external proxy authentication required, but none provided");
}

/** A WebSocket of a user, and what comes on it. */
export interface Followed {
  socket: WebSocket;
  messages: unknown[];
  /** Code and reason. */
  closed: Promise<string>;
}

/** Opens a WebSocket that ends with the test. */
export async function follow(plane: ControlPlane, path: string, userToken = adminToken): Promise<Followed> {
  const socket = new WebSocket(`${plane.url.replace("http", "ws")}/api/v2/${path}`, {
    headers: { "Coder-Session-Token": userToken },
  });
  onTestFinished(() => socket.terminate());
  const messages: unknown[] = [];
  socket.on("message", (data) => messages.push(JSON.parse(String(data))));
  const closed = new Promise<string>((resolve) => {
    socket.on("close", (code, reason) => resolve(`${code} ${reason.toString()}`));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return { socket, messages, closed };
}

/** Server-sent events as they come. */
export interface ReadEvents {
  response: Response;
  /** `event: …` blocks. */
  blocks: string[];
  /** Resolves when the server has ended them; rejects when they were cut off. */
  ended: Promise<void>;
  leave(): void;
}

/** Reads server-sent events until the test is over. It resolves with the head, that is with the first event. */
export async function readEvents(url: string, sessionToken: string): Promise<ReadEvents> {
  const client = new AbortController();
  onTestFinished(() => client.abort());
  const response = await fetch(url, {
    headers: { "Coder-Session-Token": sessionToken },
    signal: client.signal,
  });
  const blocks: string[] = [];
  const ended = (async () => {
    let rest = "";
    for await (const chunk of response.body ?? []) {
      const parts = (rest + Buffer.from(chunk).toString()).split("\n\n");
      rest = parts.pop() ?? "";
      blocks.push(...parts);
    }
  })();
  ended.catch(() => {});
  return { response, blocks, ended, leave: () => client.abort() };
}
