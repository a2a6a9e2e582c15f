import { chmod, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import { Code } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import { RpcError } from "../../../src/client/index-node.js";
import {
  type AgentSocketServer,
  createAgentSocket,
  defaultAgentSocketPath,
  dialAgentSocket,
} from "../../../src/local/index.js";
import { usedBytes, watchTimers } from "../../leaks/live-things.js";
import { eventually } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { runs, scale } from "../../support/scale.js";
import { agentSocket, clientOf, socketPath } from "./support.js";

const mode = async (path: string) => (await stat(path)).mode & 0o777;

async function rawClient(path: string): Promise<Socket> {
  const socket = connect(path);
  socket.on("error", () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return socket;
}

const closed = (socket: Socket) =>
  new Promise<void>((resolve) => (socket.closed ? resolve() : socket.once("close", () => resolve())));

describe("the file of the agent socket", () => {
  it("C5.2 is in /tmp where nobody says otherwise", () => {
    expect(defaultAgentSocketPath()).toBe("/tmp/coder-agent.sock");
  });

  it("C5.3 is for its user only, and so is the folder that is made for it", async () => {
    const path = join(dirname(await socketPath()), "made", "for", "it.sock");
    const socket = await agentSocket({ path });
    expect(await mode(path)).toBe(0o600);
    expect(await mode(dirname(path))).toBe(0o700);
    await (await clientOf(socket)).agentSocket.ping({});
  });

  it("C5.3 is not taken from a server that takes connections", async () => {
    const first = await agentSocket();
    await expect(createAgentSocket({ path: first.path })).rejects.toThrow(
      `create socket: socket path ${first.path} is not available`,
    );
    await (await clientOf(first)).agentSocket.ping({});
  });

  it("C5.3 replaces one that nobody listens behind", async () => {
    const path = await socketPath();
    await writeFile(path, "");
    const socket = await agentSocket({ path });
    expect((await stat(path)).isSocket()).toBe(true);
    await (await clientOf(socket)).agentSocket.ping({});
  });

  it("C5.3 says at which step it failed", async () => {
    const folder = await socketPath("folder");
    await mkdir(folder);
    await expect(createAgentSocket({ path: folder })).rejects.toThrow(
      /^create socket: remove existing socket: /,
    );
    const file = await socketPath("file");
    await writeFile(file, "");
    await expect(createAgentSocket({ path: join(file, "x", "agent.sock") })).rejects.toThrow(
      /^create socket: create socket directory: /,
    );
  });

  it("says what is wrong with a path that no socket can have", async () => {
    await expect(createAgentSocket({ path: "a\0b" })).rejects.toThrow("has a zero byte in it");
    expect((await failure(dialAgentSocket({ path: "a\0b" }))).message).toContain("has a zero byte in it");
  });

  it("names the limit when the path is too long, before it listens on another one", async () => {
    const path = await socketPath(`${"x".repeat(120)}.sock`);
    const wanted = new RegExp(
      `the path .*x\\.sock is ${Buffer.byteLength(path)} bytes long; a Unix socket's path has room for 10[37]`,
    );
    await expect(createAgentSocket({ path })).rejects.toThrow(wanted);
    await expect(createAgentSocket({ path })).rejects.toThrow(/^create socket: /);
    expect(await readdir(dirname(path))).toEqual([]);
    const error = await failure(dialAgentSocket({ path }));
    expect(error.rawMessage).toMatch(wanted);
    expect(error.rawMessage).toMatch(/^connect to socket: /);
  });

  it("C5.5 goes when the socket is closed, with all connections and calls; closing again does nothing", async () => {
    const socket = await agentSocket();
    const idle = await rawClient(socket.path);
    const { agentSocket: calls } = await clientOf(socket);
    socket.setControlPlane({ updateAppStatus: () => new Promise(() => {}) });
    const call = failure(calls.updateAppStatus({ slug: "a" }));
    await eventually(() => socket.connectionCount === 2, "two connections");
    await socket.close();
    await socket.close();
    expect(socket.connectionCount).toBe(0);
    expect(await call).toMatchObject({ code: Code.Unavailable });
    await closed(idle);
    await expect(stat(socket.path)).rejects.toThrow("ENOENT");
    expect(await failure(calls.ping({}))).toMatchObject({
      rawMessage: `connect to socket: connect ENOENT ${socket.path}`,
    });
  });

  it("stays when it is another program's by the time that its first one closes", async () => {
    const first = await agentSocket();
    await rm(first.path);
    const second = await agentSocket({ path: first.path });
    await first.close();
    await (await clientOf(second)).agentSocket.ping({});
    expect(await readdir(dirname(first.path))).toEqual([basename(first.path)]);
    await second.close();
    expect(await readdir(dirname(first.path))).toEqual([]);
  });

  it("C5.6 is named in the error of a client that finds nobody there", async () => {
    const path = await socketPath();
    const error = await failure(dialAgentSocket({ path }));
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({
      code: Code.Unavailable,
      rawMessage: `connect to socket: connect ENOENT ${path}`,
    });
    await writeFile(path, "");
    await expect(dialAgentSocket({ path })).rejects.toThrow(
      `connect to socket: connect ECONNREFUSED ${path}`,
    );
    const socket = await agentSocket();
    await chmod(socket.path, 0o000);
    if (process.getuid?.() !== 0)
      await expect(dialAgentSocket(socket)).rejects.toThrow("connect to socket: ");
  });

  it("C5.6 connects with a signal that ends the attempt, and not the connection", async () => {
    const socket = await agentSocket();
    const abort = new AbortController();
    const { agentSocket: calls } = await clientOf(socket, { signal: abort.signal });
    abort.abort(new Error("not any more"));
    await calls.ping({});
    await expect(dialAgentSocket({ path: socket.path, signal: abort.signal })).rejects.toThrow(
      "not any more",
    );
  });
});

describe("connections of the agent socket", () => {
  it("C5.1 answer many calls at the same time, and stay one when all is quiet", async () => {
    const socket = await agentSocket();
    const { agentSocket: calls } = await clientOf(socket);
    const units = Array.from({ length: 200 }, (_, i) => `unit ${i}`);
    await Promise.all(units.map((unit) => calls.syncStart({ unit })));
    expect((await calls.syncList({})).units).toHaveLength(200);
    expect(socket.connectionCount).toBeLessThanOrEqual(8);
    await eventually(() => socket.connectionCount === 1, "one connection is left");
  });

  it("have a bound; more are closed, and counted", async () => {
    const socket = await agentSocket({ maxConnections: 2 });
    const kept = [await rawClient(socket.path), await rawClient(socket.path)];
    await closed(await rawClient(socket.path));
    expect(socket.refusedConnections).toBe(1);
    expect(socket.connectionCount).toBe(2);
    kept[0]?.destroy();
    await eventually(() => socket.connectionCount === 1, "one is gone");
    await (await clientOf(socket)).agentSocket.ping({});
  });

  it("are made again after the agent has been started anew", async () => {
    const first = await agentSocket();
    const { agentSocket: calls } = await clientOf(first);
    await calls.syncStart({ unit: "a" });
    await first.close();
    await agentSocket({ path: first.path });
    await eventually(
      () =>
        calls.ping({}).then(
          () => true,
          () => false,
        ),
      "the new agent answers",
    );
    // C5.8
    expect((await calls.syncList({})).units).toEqual([]);
  });

  it("end for bytes that are not dRPC; others do not notice", async () => {
    const errors: RpcError[] = [];
    const socket = await agentSocket({ onProtocolError: (error) => errors.push(error) });
    const { agentSocket: calls } = await clientOf(socket);
    for (let i = 1; i <= runs(50).numRuns; i++) {
      const raw = await rawClient(socket.path);
      raw.write(Buffer.from([0xff, ...Array(12).fill(0xff), i & 0xff]));
      await closed(raw);
    }
    expect(errors.length).toBe(runs(50).numRuns);
    await calls.ping({});
    await eventually(() => socket.connectionCount === 1, "only the good connection is left");
  });

  it("that end in the middle of a call, or of a frame, leave nothing", async () => {
    const socket = await agentSocket();
    let canceled = 0;
    socket.setControlPlane({
      updateAppStatus: (_request, options) =>
        new Promise((_, reject) =>
          options?.signal?.addEventListener("abort", () => {
            canceled++;
            reject(new Error("canceled"));
          }),
        ),
    });
    const name = "/coder.agentsocket.v1.AgentSocket/UpdateAppStatus";
    const invoke = Buffer.concat([Buffer.from([0x03, 1, 1, name.length]), Buffer.from(name)]);
    const message = Buffer.from([0x05, 1, 2, 0]);
    const whole = Buffer.concat([invoke, message, Buffer.from([0x0d, 1, 3, 0])]);
    for (let length = 1; length <= whole.length; length++) {
      const raw = await rawClient(socket.path);
      await new Promise<void>((resolve) => raw.write(whole.subarray(0, length), () => resolve()));
      raw.destroy();
    }
    await eventually(() => socket.connectionCount === 0, "no connection is left");
    // those that had begun the handler
    expect(canceled).toBe(whole.length - invoke.length - message.length + 1);
  });

  it("to something that is no agent fail the call, and end", async () => {
    const path = await socketPath();
    const other = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await new Promise<void>((resolve) => other.listen(path, resolve));
    onTestFinished(() => {
      other.close();
    });
    const connection = await clientOf({ path });
    const error = await failure(connection.agentSocket.ping({}));
    expect(error).toBeInstanceOf(RpcError);
    expect(error.rpc ?? "/coder.agentsocket.v1.AgentSocket/Ping").toBe(
      "/coder.agentsocket.v1.AgentSocket/Ping",
    );
  });

  /** Calls at the same time, and one that is given up: connections come and go. */
  async function work(socket: AgentSocketServer, count: number) {
    const { agentSocket: calls } = await clientOf(socket);
    for (let i = 0; i < count; i++) {
      await Promise.all([calls.ping({}), calls.syncStatus({ unit: `${i}` })]);
      const given = new AbortController();
      const gone = failure(calls.syncReady({ unit: "a" }, { signal: given.signal }));
      given.abort();
      await gone;
    }
  }

  it("keep no timer and no connection of calls", async () => {
    const timers = watchTimers();
    const socket = await agentSocket();
    await work(socket, 100 * Math.min(scale, 10));
    await eventually(() => socket.connectionCount <= 1, "one connection at most");
    await eventually(() => timers().length === 0, "no timer is left").catch(() => {});
    expect(timers()).toEqual([]);
  });

  it("keep nothing in memory of thousands of calls", async () => {
    const socket = await agentSocket();
    const perRound = 400 * Math.min(scale, 10);
    await work(socket, 1_000);
    const grown: number[] = [];
    for (let round = 0; round < 4; round++) {
      const before = await usedBytes();
      await work(socket, perRound);
      grown.push(((await usedBytes()) - before) / perRound);
    }
    // what each call keeps shows in every round; what the engine gains and loses by itself does not
    expect(Math.min(...grown)).toBeLessThan(100);
  }, 120_000);
});
