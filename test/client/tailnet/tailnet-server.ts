import type { Duplex } from "node:stream";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createContextKey, createContextValues } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import {
  type CoordinateRequest,
  type CoordinateResponseSchema,
  type DERPMapSchema,
  Tailnet,
  type TelemetryEvent,
  type WorkspaceUpdateSchema,
} from "../../../src/gen/coder/tailnet/v2/index_pb.js";
import { ApiError, attachRpc, type RpcEndpointOptions } from "../../../src/server/index.js";
import { eventually } from "../../support/control-plane.js";
import { httpServer } from "../../support/http-servers.js";

export const token = "user-session-token-0123456789";

/** What a test has a stream say; the stream ends when the test says so. */
export class Script<T> implements AsyncIterableIterator<T, undefined> {
  #queue: T[] = [];
  #end: { error: unknown } | undefined;
  #wake: () => void = () => {};

  say(message: T): void {
    this.#queue.push(message);
    this.#wake();
  }

  end(error?: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      const first = this.#queue.shift();
      if (first !== undefined) return { done: false, value: first };
      if (this.#end?.error !== undefined) throw this.#end.error;
      if (this.#end !== undefined) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** One connection of a client. */
export class ServedClient {
  readonly version: string;
  readonly requests: CoordinateRequest[] = [];
  readonly telemetry: TelemetryEvent[][] = [];
  readonly coordinate = new Script<MessageInitShape<typeof CoordinateResponseSchema>>();
  readonly derpMaps = new Script<MessageInitShape<typeof DERPMapSchema>>();
  readonly workspaces = new Map<string, Script<MessageInitShape<typeof WorkspaceUpdateSchema>>>();
  /** Calls of streams that are under way, by name. */
  readonly open = new Set<string>();
  isOver = false;
  readonly #cut: () => void;

  constructor(version: string, cut: () => void) {
    this.version = version;
    this.#cut = cut;
  }

  /** Takes the cable out. */
  cut(): void {
    this.#cut();
  }

  /** What the client wants, as far as it has said: its node's id, and the tunnels. */
  get told(): { nodeId: bigint | undefined; tunnels: string[] } {
    let nodeId: bigint | undefined;
    const tunnels = new Set<string>();
    for (const { updateSelf, addTunnel, removeTunnel } of this.requests) {
      if (updateSelf !== undefined) nodeId = updateSelf.node?.id;
      if (addTunnel !== undefined) tunnels.add(hex(addTunnel.id));
      if (removeTunnel !== undefined) tunnels.delete(hex(removeTunnel.id));
    }
    return { nodeId, tunnels: [...tunnels].sort() };
  }

  get saidGoodbye(): boolean {
    return this.requests.some(({ disconnect }) => disconnect !== undefined);
  }

  workspacesOf(owner: Uint8Array) {
    const script = this.workspaces.get(hex(owner)) ?? new Script();
    this.workspaces.set(hex(owner), script);
    return script;
  }
}

export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** What a test decides of its server. */
export interface TailnetServerOptions
  extends Pick<RpcEndpointOptions<unknown>, "serverVersion" | "strictVersions"> {
  path?: string;
  /** Asked of each dial; throws what refuses it. */
  admit?(url: URL): void;
  /** The answer to each request for a token. */
  refresh?(count: number): { token: string; refreshInMs: number; expiresInMs: number };
  /** Told of each telemetry call; throws what it is answered with. */
  onTelemetry?(): void | Promise<void>;
  /** Whether a client that has said goodbye is not let go. */
  isDeafToGoodbyes?: boolean;
  /** A call that there is none of. */
  lacks?: "workspaceUpdates" | "streamDERPMaps";
}

const clientKey = createContextKey<ServedClient | undefined>(undefined);

/** A server of the tailnet service whose every word a test decides. It ends with the test. */
export async function tailnetServer(options: TailnetServerOptions = {}) {
  const clients: ServedClient[] = [];
  const dials: URL[] = [];
  const sockets: Duplex[] = [];
  let refreshes = 0;
  const { server, url } = await httpServer();
  server.on("upgrade", (_request, socket) => void sockets.push(socket));
  const endpoint = attachRpc(server, {
    path: options.path ?? "/api/v2/tailnet",
    ...(options.serverVersion && { serverVersion: options.serverVersion }),
    strictVersions: options.strictVersions ?? false,
    authenticate(request) {
      dials.push(request.url);
      options.admit?.(request.url);
      if (request.token !== token) throw new ApiError(401, "You are signed out.");
    },
    contextValues({ apiVersion, session }) {
      const socket = sockets.at(-1);
      const client = new ServedClient(apiVersion, () => socket?.destroy());
      void session.closed.then(() => {
        client.isOver = true;
      });
      clients.push(client);
      return createContextValues().set(clientKey, client);
    },
    routes: (router) =>
      router.service(Tailnet, {
        async *coordinate(requests, context) {
          const client = clientOf(context.values.get(clientKey));
          void (async () => {
            for await (const request of requests) {
              client.requests.push(request);
              if (request.disconnect !== undefined && !options.isDeafToGoodbyes) client.coordinate.end();
            }
          })().catch(() => {});
          yield* whileOpen(client, "coordinate", client.coordinate, context.signal);
        },
        async *streamDERPMaps(_request, context) {
          if (options.lacks === "streamDERPMaps") throw new ConnectError("Unimplemented", Code.Unimplemented);
          const client = clientOf(context.values.get(clientKey));
          yield* whileOpen(client, "derpMaps", client.derpMaps, context.signal);
        },
        async *workspaceUpdates({ workspaceOwnerId }, context) {
          if (options.lacks === "workspaceUpdates")
            throw new ConnectError("Unimplemented", Code.Unimplemented);
          const client = clientOf(context.values.get(clientKey));
          const script = client.workspacesOf(workspaceOwnerId);
          yield* whileOpen(client, `workspaces ${hex(workspaceOwnerId)}`, script, context.signal);
        },
        refreshResumeToken() {
          const count = ++refreshes;
          const { token, refreshInMs, expiresInMs } = (options.refresh ?? usualToken)(count);
          const expiresAtMs = Date.now() + expiresInMs;
          return {
            token,
            refreshIn: { seconds: BigInt(Math.trunc(refreshInMs / 1000)), nanos: (refreshInMs % 1000) * 1e6 },
            expiresAt: {
              seconds: BigInt(Math.trunc(expiresAtMs / 1000)),
              nanos: (expiresAtMs % 1000) * 1e6,
            },
          };
        },
        async postTelemetry({ events }, context) {
          clientOf(context.values.get(clientKey)).telemetry.push(events);
          await options.onTelemetry?.();
          return {};
        },
      }),
  });
  onTestFinished(() => endpoint.close());
  /** The client with a number, counted from 1, once it is there. */
  const client = async (number: number): Promise<ServedClient> => {
    await eventually(() => clients.length >= number, `connection ${number}`);
    return clientOf(clients[number - 1]);
  };
  return { url, clients, client, dials, sessions: () => endpoint.sessionCount, refreshes: () => refreshes };
}

const usualToken = (count: number) => ({
  token: `resume-${count}`,
  refreshInMs: 12 * 3_600_000,
  expiresInMs: 24 * 3_600_000,
});

async function* whileOpen<T>(client: ServedClient, name: string, script: Script<T>, signal: AbortSignal) {
  const onAbort = () => script.end();
  signal.addEventListener("abort", onAbort);
  client.open.add(name);
  try {
    yield* script;
  } finally {
    client.open.delete(name);
    signal.removeEventListener("abort", onAbort);
  }
}

function clientOf(client: ServedClient | undefined): ServedClient {
  if (client === undefined) throw new ConnectError("no session", Code.Internal);
  return client;
}
