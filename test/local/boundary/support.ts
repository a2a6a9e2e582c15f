import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { onTestFinished } from "vitest";
import { BoundaryFrameReader } from "../../../src/codec/index.js";
import {
  type ReportBoundaryLogsRequest,
  ReportBoundaryLogsRequestSchema,
} from "../../../src/gen/coder/agent/v2/agent_pb.js";
import {
  type BoundaryMessage,
  BoundaryMessageSchema,
  type BoundaryStatus,
} from "../../../src/gen/coder/boundarylogproxy/codec/v1/boundary_pb.js";
import { type BoundaryLogProxyOptions, createBoundaryLogProxy } from "../../../src/local/index.js";

/** A path for a socket, in a folder that goes with the test. */
export function socketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "boundary-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "audit.sock");
}

/** A proxy that ends with the test; what it takes and what it warns of is noted. */
export async function proxy(options: Partial<BoundaryLogProxyOptions> = {}) {
  const requests: ReportBoundaryLogsRequest[] = [];
  const statuses: BoundaryStatus[] = [];
  const warnings: string[] = [];
  const opened = await createBoundaryLogProxy({
    path: socketPath(),
    sender: { push: (request) => requests.push(request), countStatus: (status) => statuses.push(status) },
    onWarning: (text) => warnings.push(text),
    ...options,
  });
  onTestFinished(() => opened.close());
  return { proxy: opened, path: opened.path, requests, statuses, warnings };
}

/** A program's connection, as bytes. */
export async function program(path: string) {
  const socket = connect(path);
  const answered: Uint8Array[] = [];
  socket.on("data", (bytes) => answered.push(bytes));
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  onTestFinished(() => void socket.destroy());
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return {
    socket,
    closed,
    /** What came from the other side: there must be nothing. */
    answered,
    write: (bytes: Uint8Array) =>
      new Promise<void>((resolve) => {
        socket.write(bytes, () => resolve());
      }),
    async end() {
      socket.end();
      await closed;
    },
  };
}

/** A frame, whatever is in it. */
export function frame(tag: number, payload: Uint8Array, length = payload.length): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(tag * 0x1000000 + length);
  return Buffer.concat([header, payload]);
}

export function requestBytes(init: MessageInitShape<typeof ReportBoundaryLogsRequestSchema>): Uint8Array {
  return toBinary(ReportBoundaryLogsRequestSchema, create(ReportBoundaryLogsRequestSchema, init));
}

export function messageBytes(
  msg: NonNullable<MessageInitShape<typeof BoundaryMessageSchema>["msg"]>,
): Uint8Array {
  return toBinary(BoundaryMessageSchema, create(BoundaryMessageSchema, { msg }));
}

export interface FakeAgent {
  /** All messages of all connections, as they came. */
  readonly messages: BoundaryMessage["msg"][];
  readonly requests: ReportBoundaryLogsRequest[];
  readonly statuses: BoundaryStatus[];
  readonly connections: Socket[];
  stop(): Promise<void>;
}

/**
 * What an agent's socket is to a program, without a proxy: it reads what comes. Ends with the test.
 * @param reads says of each connection, counted from 1, whether it is read.
 */
export async function fakeAgent(
  path: string,
  reads: (connection: number) => boolean = () => true,
): Promise<FakeAgent> {
  const server = createServer((socket) => {
    agent.connections.push(socket);
    socket.on("error", () => {});
    if (!reads(agent.connections.length)) {
      socket.pause();
      return;
    }
    const reader = new BoundaryFrameReader();
    socket.on("data", (bytes) =>
      reader.push(bytes, (_tag, payload) => {
        const { msg } = fromBinary(BoundaryMessageSchema, payload);
        agent.messages.push(msg);
        if (msg.case === "logs") agent.requests.push(msg.value);
        if (msg.case === "status") agent.statuses.push(msg.value);
      }),
    );
  });
  const agent: FakeAgent = {
    messages: [],
    requests: [],
    statuses: [],
    connections: [],
    stop() {
      for (const socket of agent.connections) socket.destroy();
      return new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => agent.stop());
  return agent;
}
