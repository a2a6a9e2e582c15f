import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { formatUuid, parseUuid } from "../../src/codec/index.js";
import { Agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import {
  CoordinateRequestSchema,
  type CoordinateResponse,
  CoordinateResponse_PeerUpdate_Kind as Kind,
  Tailnet,
} from "../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { createDrpcTransport, createServiceClient } from "../../src/rpc/index.js";
import { createYamuxSession, type YamuxSession } from "../../src/transport/index.js";
import { wsConnection } from "../../src/transport/ws-node.js";
import { adminToken } from "./http-api.js";

/** A user's program on a connection of its own, made of nothing but the wire. */
export interface TailnetProgram {
  socket: WebSocket;
  session: YamuxSession;
  tailnet: Client<typeof Tailnet>;
  /** What is not to be there. */
  agent: Client<typeof Agent>;
  /** Code and reason of the close. */
  closed: Promise<string>;
}

/**
 * Dials as a user's program does; it ends with the test.
 * @param path below `/api/v2/`, with its query.
 */
export async function tailnetProgram(
  { url }: { url: string },
  path = "tailnet",
  { token = adminToken, ...options }: ClientOptions & { token?: string } = {},
): Promise<TailnetProgram> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/v2/${path}`, {
    perMessageDeflate: false,
    ...options,
    headers: { "Coder-Session-Token": token, ...options.headers },
  });
  onTestFinished(() => socket.terminate());
  const closed = new Promise<string>((resolve) => {
    socket.on("close", (code, reason) => resolve(`${code} ${reason.toString()}`));
  });
  const session = await new Promise<YamuxSession>((resolve, reject) => {
    socket.once("open", () => resolve(createYamuxSession(wsConnection(socket), { role: "client" })));
    socket.once("error", reject);
  });
  onTestFinished(() => session.close());
  const transport = createDrpcTransport(session);
  const tailnet = createServiceClient(Tailnet, transport);
  return { socket, session, tailnet, agent: createServiceClient(Agent, transport), closed };
}

/** One side of a Coordinate call, that says things when told to. */
export interface Talk {
  say(request: MessageInitShape<typeof CoordinateRequestSchema>): void;
  /** The next answer; undefined at the end of them. */
  next(): Promise<CoordinateResponse | undefined>;
  /** Says no more. */
  end(): void;
}

/** Begins a Coordinate call. */
export function talk(tailnet: Pick<Client<typeof Tailnet>, "coordinate">): Talk {
  const said: MessageInitShape<typeof CoordinateRequestSchema>[] = [];
  let wake = () => {};
  let isOver = false;
  async function* requests() {
    while (!isOver || said.length > 0) {
      const request = said.shift();
      if (request !== undefined) yield create(CoordinateRequestSchema, request);
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  const answers = tailnet.coordinate(requests())[Symbol.asyncIterator]();
  return {
    say(request) {
      said.push(request);
      wake();
    },
    async next() {
      const { done, value } = await answers.next();
      return done ? undefined : value;
    },
    end() {
      isOver = true;
      wake();
    },
  };
}

/** What an answer says: the reason of each update, and who it is of, or the error. */
export function told(response: CoordinateResponse | undefined) {
  if (response === undefined) return "end";
  if (response.error !== "") return response.error;
  return response.peerUpdates.map(({ id, kind, reason }) => `${Kind[kind]} ${formatUuid(id)} (${reason})`);
}

/** The 16 bytes of a UUID. */
export function idBytes(uuid: string): Uint8Array {
  const bytes = parseUuid(uuid);
  if (bytes === undefined) throw new Error(`${uuid} is no UUID`);
  return bytes;
}

/** A node that an agent may have, or a client. */
export function nodeOf(address: string) {
  return {
    id: 1n,
    key: idBytes(randomUUID()),
    addresses: [`${address}/128`],
    allowedIps: [`${address}/128`],
  };
}
