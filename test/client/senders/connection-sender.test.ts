import { expect, it } from "vitest";
import { ConnectionAction, ConnectionSender, ConnectionType } from "../../../src/client/index-node.js";
import { agentWith, brokenStream, late, lost, refusal, unimplemented } from "./faulty-server.js";

interface Sent {
  id: Uint8Array;
  action: ConnectionAction;
  statusCode: number;
  reason?: string;
}

const { CONNECT, DISCONNECT } = ConnectionAction;
const ssh = { type: ConnectionType.SSH };

/** What a run sends until nothing is left; `answer` is asked for each. */
async function run(sender: ConnectionSender, answer: (sent: Sent) => unknown = () => ({})) {
  const { agent, calls } = agentWith({
    reportConnection: ({ connection }: { connection: Sent }) => answer(connection),
  });
  const abort = new AbortController();
  const running = sender.run(agent, abort.signal).then(
    () => undefined,
    (error: Error) => error,
  );
  await Promise.race([sender.whenEmpty(), running]);
  abort.abort(new Error("the end"));
  const error = await running;
  return { sent: calls.map(({ request }) => (request as { connection: Sent }).connection), error };
}

it("C4.63, C4.64: a session has two reports with one random id", async () => {
  const sender = new ConnectionSender();
  const connection = sender.connected({ type: ConnectionType.VSCODE, ip: "10.0.0.9", at: new Date(1000) });
  expect(connection.disconnected({ statusCode: 130, reason: "graceful", at: new Date(3000) })).toBe(true);
  const { sent } = await run(sender);
  const both = { id: connection.id, type: ConnectionType.VSCODE, ip: "10.0.0.9" };
  expect(sent).toMatchObject([
    { ...both, action: CONNECT, statusCode: 0, timestamp: { seconds: 1n } },
    { ...both, action: DISCONNECT, statusCode: 130, reason: "graceful", timestamp: { seconds: 3n } },
  ]);
  expect(sent[0]).not.toHaveProperty("reason");
  expect(connection.id).toHaveLength(16);
  expect(sender.connected(ssh).id).not.toEqual(connection.id);
});

it("C4.64: localhost is 127.0.0.1; a reason is there even when it is empty", async () => {
  const sender = new ConnectionSender();
  sender.connected({ ...ssh, ip: "localhost" }).disconnected();
  sender.connected({ type: ConnectionType.TYPE_UNSPECIFIED });
  const { sent } = await run(sender);
  expect(sent).toMatchObject([
    { ip: "127.0.0.1" },
    { ip: "127.0.0.1", reason: "", statusCode: 0 },
    { ip: "" },
  ]);
});

it("reports the end of a session once", async () => {
  const sender = new ConnectionSender();
  const connection = sender.connected(ssh);
  expect([connection.disconnected(), connection.disconnected()]).toEqual([true, false]);
  expect((await run(sender)).sent).toHaveLength(2);
});

it("C4.65: 2,048 reports may wait; new ones are dropped, and the end of a session whose start was", () => {
  const sender = new ConnectionSender();
  for (let i = 0; i < 2048; i++) sender.connected(ssh);
  const late = sender.connected(ssh);
  expect(sender).toMatchObject({ pending: 2048, dropped: { queue_full: 1 } });
  expect(late.disconnected()).toBe(false);
  expect(sender.dropped).toEqual({ queue_full: 1, connect_dropped: 1 });
});

it("C4.65: the end of a session whose start waits is dropped when there is no room", async () => {
  const sender = new ConnectionSender({ maxReports: 1 });
  const connection = sender.connected(ssh);
  expect(connection.disconnected()).toBe(false);
  expect(sender.dropped).toEqual({ queue_full: 1 });
  expect((await run(sender)).sent).toHaveLength(1);
});

it.each([
  ["refuses", refusal("connection ID cannot be nil")],
  ["does not answer in time", late()],
  ["does not answer at all", brokenStream()],
])("C4.65, C4.16: a report that the server %s is dropped, and the next is sent", async (_name, error) => {
  const warnings: string[] = [];
  const sender = new ConnectionSender({ onWarning: (text) => warnings.push(text) });
  sender.connected(ssh).disconnected();
  const answers = [() => Promise.reject(error), () => ({})];
  const { sent } = await run(sender, () => answers.shift()?.());
  expect(sent.map(({ action }) => action)).toEqual([CONNECT, DISCONNECT]);
  expect(sender).toMatchObject({ pending: 0, dropped: { report_failed: 1 } });
  expect(warnings).toEqual([`connections: a report was dropped: ${error.rawMessage}`]);
});

it("C4.65: a report whose connection is lost is dropped; those behind it go with the next", async () => {
  const sender = new ConnectionSender();
  sender.connected(ssh).disconnected({ statusCode: 1 });
  const first = await run(sender, () => Promise.reject(lost()));
  expect(first.error?.message).toContain("was lost");
  expect(sender).toMatchObject({ pending: 1, dropped: { report_failed: 1 } });
  const { sent } = await run(sender);
  expect([...first.sent, ...sent].map(({ action }) => action)).toEqual([CONNECT, DISCONNECT]);
});

it("C4.65: a stream that ends a moment before the connection takes one report with it, not the next", async () => {
  const sender = new ConnectionSender();
  sender.connected(ssh).disconnected();
  const abort = new AbortController();
  const { agent } = agentWith({
    reportConnection: () => {
      setTimeout(() => abort.abort(new Error("the connection ends")), 1);
      throw brokenStream();
    },
  });
  await expect(sender.run(agent, abort.signal)).rejects.toThrow("the connection ends");
  expect(sender).toMatchObject({ pending: 1, dropped: { report_failed: 1 } });
});

it("C10.13: what a server without the RPC was to hear is dropped, ends of such sessions too", async () => {
  const sender = new ConnectionSender();
  const early = [sender.connected(ssh), sender.connected(ssh)];
  const { sent } = await run(sender, () => Promise.reject(unimplemented()));
  expect(sent).toHaveLength(1);
  const during = sender.connected(ssh);
  expect(sender).toMatchObject({ pending: 0, dropped: { unsupported: 3 } });
  for (const connection of [...early, during]) expect(connection.disconnected()).toBe(false);
  expect(sender.dropped).toEqual({ unsupported: 3, connect_dropped: 3 });
  expect((await run(sender)).sent).toEqual([]);
});

it("refuses what cannot be sent, at once", () => {
  const sender = new ConnectionSender();
  expect(() => sender.connected({ type: 9 as ConnectionType })).toThrow(TypeError);
  expect(() => sender.connected({ ...ssh, at: new Date(Number.NaN) })).toThrow(TypeError);
  expect(() => sender.connected({ ...ssh, ip: "x".repeat(70_000) })).toThrow(RangeError);
  expect(sender.pending).toBe(0);
  const connection = sender.connected(ssh);
  expect(() => connection.disconnected({ statusCode: 1.5 })).toThrow(TypeError);
  expect(() => connection.disconnected({ statusCode: 2 ** 31 })).toThrow(TypeError);
  expect(() => connection.disconnected({ reason: "x".repeat(10_000_000) })).toThrow(RangeError);
  expect(connection.disconnected()).toBe(true);
  expect(sender).toMatchObject({ pending: 2, dropped: {} });
});
