import { describe, expect, it, onTestFinished } from "vitest";
import { createBoundaryLogClient, createBoundaryLogProxy } from "../../../src/local/index.js";
import { scale } from "../../support/scale.js";
import { settle } from "../../support/scripted-connection.js";
import { program, proxy, socketPath } from "./support.js";

/** The sockets that keep this process alive. In a file of its own, so that no other test's are among them. */
const sockets = () => process.getActiveResourcesInfo().filter((name) => name.includes("Pipe")).length;
const entry = { allowed: true, method: "GET", url: "/" };

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await settle(1);
  expect(condition()).toBe(true);
}

// first, while nothing of another test is still on its way out
describe("boundary logs", () => {
  it("leave no socket behind, whoever ends first", async () => {
    const before = sockets();
    for (let i = 0; i < 10 * scale; i++) {
      const path = socketPath();
      const opened = await createBoundaryLogProxy({ path, sender: { push() {}, countStatus() {} } });
      const clients = Array.from({ length: 3 }, () => createBoundaryLogClient({ path, maxBatchLogs: 2 }));
      for (const client of clients) for (let n = 0; n < 5; n++) client.log(entry);
      const { socket, write } = await program(path);
      await write(Buffer.from([1, 0, 0]));
      await settle(i % 4);
      if (i % 2 === 0) await opened.close();
      await Promise.all(clients.map((client) => client.close()));
      await opened.close();
      expect(opened.connectionCount).toBe(0);
      socket.destroy();
    }
    await until(() => sockets() === before);
  });
});

describe("a boundary log client", () => {
  it("keeps no process alive, with or without an agent", async () => {
    const path = socketPath();
    const before = sockets();
    const client = createBoundaryLogClient({ path });
    onTestFinished(() => client.close());
    client.log(entry);
    await settle(10);
    expect(sockets()).toBe(before);
    const opened = await proxy({ path });
    // what looked whether somebody serves there already is on its way out
    await settle(10);
    const listening = sockets();
    const other = createBoundaryLogClient({ path });
    onTestFinished(() => other.close());
    other.log(entry);
    await until(() => opened.proxy.connectionCount === 1);
    // the proxy's end of the connection does
    expect(sockets()).toBe(listening + 1);
  });
});
