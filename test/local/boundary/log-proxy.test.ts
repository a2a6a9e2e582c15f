import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BoundaryLogSender } from "../../../src/client/index-node.js";
import {
  boundaryLogSocketPath,
  createBoundaryLogProxy,
  defaultBoundaryLogSocketPath,
} from "../../../src/local/index.js";
import { eventually } from "../../support/control-plane.js";
import { runs } from "../../support/scale.js";
import { cut } from "../../support/vectors.js";
import { frame, messageBytes, program, proxy, requestBytes, socketPath } from "./support.js";

const sessionId = "4f8e3a52-9f2e-4a58-8a14-6f7d0f3c2b11";
const logs = [
  { allowed: true, sequenceNumber: 7, resource: { case: "httpRequest" as const, value: { method: "GET" } } },
];
const one = requestBytes({ sessionId, logs });

afterEach(() => vi.unstubAllEnvs());

describe("C6.1 the socket of a boundary log proxy", () => {
  it("is boundary-audit.sock in the folder for temporary files, unless it is told otherwise", async () => {
    const folder = dirname(socketPath());
    vi.stubEnv("TMPDIR", folder);
    expect(defaultBoundaryLogSocketPath()).toBe(join(folder, "boundary-audit.sock"));
    await using opened = await createBoundaryLogProxy({ sender: new BoundaryLogSender() });
    expect(opened.path).toBe(join(folder, "boundary-audit.sock"));
    expect(statSync(opened.path).isSocket()).toBe(true);
  });

  it("is what programs find in the environment, by its newer name first (C11.12)", () => {
    const older = { CODER_AGENT_BOUNDARY_LOG_PROXY_SOCKET_PATH: "/old" };
    const newer = { CODER_AGENT_FIREWALL_LOG_PROXY_SOCKET_PATH: "/new" };
    expect(boundaryLogSocketPath({ ...older, ...newer })).toBe("/new");
    expect(boundaryLogSocketPath(older)).toBe("/old");
    expect(boundaryLogSocketPath({ ...older, CODER_AGENT_FIREWALL_LOG_PROXY_SOCKET_PATH: "" })).toBe("/old");
    expect(boundaryLogSocketPath({})).toBe(join(tmpdir(), "boundary-audit.sock"));
  });

  it("takes the place of a file that nobody listens behind", async () => {
    const path = socketPath();
    writeFileSync(path, "in the way");
    const { requests } = await proxy({ path });
    const { write, end } = await program(path);
    await write(frame(1, one));
    await end();
    await eventually(() => requests.length === 1);
  });

  it("is not taken from a server that takes connections, nor from one that has enough of them", async () => {
    for (const limits of [{}, { maxConnections: 1 }]) {
      const first = await proxy({ limits });
      const { write, end } = await program(first.path);
      await write(frame(1, one));
      await eventually(() => first.requests.length === 1);
      await expect(
        createBoundaryLogProxy({ path: first.path, sender: new BoundaryLogSender() }),
      ).rejects.toThrow(
        `listen on socket: socket path ${first.path} is not available: another program serves it`,
      );
      await write(frame(1, one));
      await eventually(() => first.requests.length === 2);
      await end();
    }
  });

  it("stays when it is another program's by the time that its first one closes", async () => {
    const first = await proxy();
    rmSync(first.path);
    const second = await proxy({ path: first.path });
    await first.proxy.close();
    const { write, end } = await program(first.path);
    await write(frame(1, one));
    await end();
    await eventually(() => second.requests.length === 1);
    expect(readdirSync(dirname(first.path))).toEqual([basename(first.path)]);
    await second.proxy.close();
    expect(readdirSync(dirname(first.path))).toEqual([]);
  });

  it("is not made where it cannot be, and the error says why", async () => {
    const folder = dirname(socketPath());
    const sender = new BoundaryLogSender();
    const made = (path: string) => createBoundaryLogProxy({ path, sender });
    await expect(made(join(folder, "no", "a.sock"))).rejects.toThrow(
      `listen on socket: ${folder}/no/a.sock: the folder ${folder}/no is not there, or may not be written to`,
    );
    mkdirSync(join(folder, "taken"));
    await expect(made(join(folder, "taken"))).rejects.toThrow(
      `remove existing socket: ${folder}/taken: EISDIR`,
    );
    await expect(made("")).rejects.toThrow("the path of the socket is empty");
    await expect(made("a\0b")).rejects.toThrow("zero byte");
  });

  it("has a path of a length that sockets can have", async () => {
    const limit = process.platform === "linux" ? 107 : 103;
    const folder = dirname(socketPath());
    const fitting = join(folder, "x".repeat(limit - folder.length - 1));
    await using opened = await createBoundaryLogProxy({ path: fitting, sender: new BoundaryLogSender() });
    expect(existsSync(opened.path)).toBe(true);
    await expect(
      createBoundaryLogProxy({ path: `${fitting}x`, sender: new BoundaryLogSender() }),
    ).rejects.toThrow(
      `the path ${fitting}x is ${limit + 1} bytes long; a Unix socket's path has room for ${limit}`,
    );
  });
});

describe("a boundary log proxy", () => {
  it("takes requests under both tags, and empty ones (C6.3, C6.9)", async () => {
    const { path, requests, warnings } = await proxy();
    const { write, end, answered } = await program(path);
    await write(frame(1, one));
    await write(frame(2, messageBytes({ case: "logs", value: { sessionId, logs } })));
    await write(frame(1, Buffer.alloc(0)));
    await end();
    await eventually(() => requests.length === 3);
    expect(requests.map((request) => Buffer.from(requestBytes(request)))).toEqual([
      Buffer.from(one),
      Buffer.from(one),
      Buffer.alloc(0),
    ]);
    expect([warnings, answered]).toEqual([[], []]);
  });

  it("keeps fields that it does not know", async () => {
    const { path, requests } = await proxy();
    const { write } = await program(path);
    const unknown = Buffer.concat([one, Buffer.from("fa3e0161", "hex")]);
    await write(frame(1, unknown));
    await eventually(() => requests.length === 1);
    expect(Buffer.from(requestBytes(requests[0] ?? {}))).toEqual(unknown);
  });

  it("counts a status and does not pass it on (C6.18)", async () => {
    const sender = new BoundaryLogSender();
    const { path } = await proxy({ sender });
    const { write } = await program(path);
    const value = { droppedChannelFull: 3n, droppedBatchFull: 2n ** 40n };
    await write(frame(2, messageBytes({ case: "status", value })));
    await eventually(() => Object.keys(sender.droppedLogs).length > 0);
    expect(sender.droppedLogs).toEqual({ boundary_channel_full: 3, boundary_batch_full: 2 ** 40 });
    expect(sender.pending).toBe(0);
  });

  it("takes up to 32,768 bytes under both tags (C6.4)", async () => {
    const { path, requests, warnings } = await proxy();
    const { write } = await program(path);
    const sized = (bytes: number) => {
      const padding = requestBytes({ confinedProcessName: "x".repeat(bytes - 4) });
      expect(padding).toHaveLength(bytes);
      return padding;
    };
    await write(frame(1, sized(32_768)));
    await write(frame(2, Buffer.concat([Buffer.from("0afcff01", "hex"), sized(32_764)])));
    await eventually(() => requests.length === 2);
    expect(warnings).toEqual([]);
  });

  it.each([
    ["an unknown tag", frame(3, one), "unsupported tag: 3; the connection is closed"],
    [
      "an unknown tag that is too large as well",
      frame(0, one, 0xffffff),
      "unsupported tag: 0; the connection is closed",
    ],
    ["too large a message, tag 1", frame(1, one, 32_769), "message too large; the connection is closed"],
    ["too large a message, tag 2", frame(2, one, 32_769), "message too large; the connection is closed"],
  ])("closes the connection for %s, and takes what came before (C6.6)", async (_what, wrong, warning) => {
    const { path, requests, warnings, proxy: opened } = await proxy();
    const bad = await program(path);
    const good = await program(path);
    await bad.write(Buffer.concat([frame(1, one), wrong, frame(1, one)]));
    await bad.closed;
    expect(warnings).toEqual([`boundary log connection 1: ${warning}`]);
    expect(requests).toHaveLength(1);
    await good.write(frame(1, one));
    await eventually(() => requests.length === 2);
    expect(bad.answered).toEqual([]);
    await eventually(() => opened.connectionCount === 1);
  });

  it.each([
    [
      "no request",
      frame(1, Buffer.from("0aff", "hex")),
      /^boundary log connection 1: unmarshal TagV1: .+; the frame is skipped$/,
    ],
    ["text that is no UTF-8", frame(1, Buffer.from("1202fffe", "hex")), /unmarshal TagV1: .+utf-8/],
    [
      "no message",
      frame(2, Buffer.from("0a05", "hex")),
      /^boundary log connection 1: unmarshal TagV2: .+; the frame is skipped$/,
    ],
    [
      "a message of no kind",
      frame(2, Buffer.alloc(0)),
      /^boundary log connection 1: a message of no known kind is ignored$/,
    ],
    ["a message of a kind to come", frame(2, Buffer.from("1a0161", "hex")), /of no known kind is ignored$/],
  ])("passes over %s, and keeps the connection (C6.6, C6.7)", async (_what, wrong, warning) => {
    const { path, requests, statuses, warnings } = await proxy();
    const { write } = await program(path);
    await write(Buffer.concat([wrong, frame(1, one)]));
    await eventually(() => requests.length === 1);
    expect([warnings.length, statuses]).toEqual([1, []]);
    expect(warnings[0]).toMatch(warning);
  });

  it.each([
    [0, undefined],
    [1, "read header error: unexpected EOF"],
    [3, "read header error: unexpected EOF"],
    [4, "read full error: unexpected EOF"],
    [20, "read full error: unexpected EOF"],
  ])("that a program leaves after %d bytes of a frame warns of: %s (C6.6)", async (bytes, warning) => {
    const { path, requests, warnings, proxy: opened } = await proxy();
    const { write, end } = await program(path);
    await write(Buffer.concat([frame(1, one), frame(1, one).subarray(0, bytes)]));
    await end();
    await eventually(() => opened.connectionCount === 0);
    expect(requests).toHaveLength(1);
    expect(warnings).toEqual(warning === undefined ? [] : [`boundary log connection 1: ${warning}`]);
  });

  it("has many programs at once, which all feed one queue (C6.8), up to a bound", async () => {
    const { path, requests, warnings, proxy: opened } = await proxy({ limits: { maxConnections: 20 } });
    const programs = await Promise.all(Array.from({ length: 20 }, () => program(path)));
    await eventually(() => opened.connectionCount === 20);
    const late = await program(path);
    await late.closed;
    expect(warnings).toEqual([`${path}: a program was turned away, 20 are connected already`]);
    await Promise.all(programs.map(({ write }) => write(Buffer.concat([frame(1, one), frame(1, one)]))));
    await eventually(() => requests.length === 40);
    await programs[0]?.end();
    await eventually(() => opened.connectionCount === 19);
    const next = await program(path);
    await next.write(frame(1, one));
    await eventually(() => requests.length === 41);
  });

  it("holds no program back: what the sender has no room for is lost and counted (C6.10)", async () => {
    const sender = new BoundaryLogSender({ maxQueuedRequests: 3 });
    const { path } = await proxy({ sender });
    const { write } = await program(path);
    for (let i = 0; i < 50; i++) await write(frame(1, requestBytes({ logs: [{}, {}] })));
    await eventually(() => sender.dropped["buffer_full"] === 47);
    expect([sender.pending, sender.droppedLogs]).toEqual([3, { buffer_full: 94 }]);
  });

  it("closes: connections end silently, the file goes (C6.14)", async () => {
    const { path, warnings, proxy: opened } = await proxy();
    const programs = await Promise.all([program(path), program(path)]);
    await programs[0]?.write(frame(1, one).subarray(0, 9));
    await eventually(() => opened.connectionCount === 2);
    await Promise.all([opened.close(), opened.close()]);
    await Promise.all(programs.map(({ closed }) => closed));
    expect([opened.connectionCount, warnings, existsSync(path)]).toEqual([0, [], false]);
    await opened.close();
  });

  it("closes also where somebody has removed the file", async () => {
    const { path, proxy: opened } = await proxy();
    rmSync(path);
    await opened.close();
  });
});

describe("a boundary log proxy under fire", () => {
  type Piece = { bytes: Buffer; requests: number; warnings: number; ends: boolean };
  const piece = (bytes: Buffer, requests = 0, warnings = 0, ends = false): Piece => ({
    bytes,
    requests,
    warnings,
    ends,
  });
  const pieces = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constant(piece(frame(1, one), 1)) },
      {
        weight: 3,
        arbitrary: fc.constant(piece(frame(2, messageBytes({ case: "logs", value: { logs } })), 1)),
      },
      { weight: 2, arbitrary: fc.constant(piece(frame(1, Buffer.from("0aff", "hex")), 0, 1)) },
      { weight: 2, arbitrary: fc.constant(piece(frame(2, Buffer.alloc(0)), 0, 1)) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.integer({ min: 3, max: 255 }), fc.uint8Array({ maxLength: 40 }))
          .map(([tag, bytes]) => piece(frame(tag, bytes), 0, 1, true)),
      },
      {
        weight: 1,
        arbitrary: fc.integer({ min: 32_769, max: 0xffffff }).map((n) => piece(frame(1, one, n), 0, 1, true)),
      },
    ),
    { maxLength: 12 },
  );

  it("makes the same of frames wherever they are cut and broken off", async () => {
    const { path, requests, warnings, proxy: opened } = await proxy();
    await fc.assert(
      fc.asyncProperty(
        pieces,
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        fc.nat({ max: 20 }),
        async (sent, sizes, brokenOff) => {
          requests.length = 0;
          warnings.length = 0;
          const end = sent.findIndex(({ ends }) => ends);
          const read = end < 0 ? sent : sent.slice(0, end + 1);
          const bytes = Buffer.concat([...sent.map((p) => p.bytes), frame(1, one).subarray(0, brokenOff)]);
          const { write, socket, closed } = await program(path);
          for (const part of cut(bytes, sizes)) await write(part);
          socket.end();
          await closed;
          await eventually(() => opened.connectionCount === 0);
          expect(requests).toHaveLength(read.reduce((sum, p) => sum + p.requests, 0));
          const broken = end < 0 && brokenOff > 0 ? 1 : 0;
          expect(warnings).toHaveLength(read.reduce((sum, p) => sum + p.warnings, broken));
        },
      ),
      runs(60),
    );
  });

  it("survives whatever is written, from several programs at once", async () => {
    const { path, requests, proxy: opened } = await proxy();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
        async (all) => {
          const programs = await Promise.all(all.map(() => program(path)));
          await Promise.all(programs.map(({ write }, index) => write(all[index] ?? Buffer.alloc(0))));
          for (const { socket } of programs) socket.destroy();
          await eventually(() => opened.connectionCount === 0);
        },
      ),
      runs(60),
    );
    requests.length = 0;
    const { write } = await program(path);
    await write(frame(1, one));
    await eventually(() => requests.length === 1);
  });

  it("finds frames in bytes that come one by one", async () => {
    const { path, requests } = await proxy();
    const { write } = await program(path);
    for (const byte of Buffer.concat([
      frame(1, one),
      frame(2, messageBytes({ case: "logs", value: { logs } })),
    ])) {
      await write(Buffer.from([byte]));
    }
    await eventually(() => requests.length === 2);
  });
});
