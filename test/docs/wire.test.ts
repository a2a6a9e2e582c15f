import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import {
  createDrpcTransport,
  createRpcTable,
  createServiceClient,
  serveStream,
} from "../../src/rpc/index.js";
import { type ByteConnection, createMemoryPair, createYamuxSession } from "../../src/transport/index.js";

const page = readFileSync(new URL("../../docs/wire.md", import.meta.url), "utf8");

test("docs/wire.md shows the bytes of a unary call as they are sent", async () => {
  const messages: string[] = [];
  const [clientEnd, serverEnd] = createMemoryPair();
  const table = createRpcTable((router) => router.service(Agent, { getAnnouncementBanners: () => ({}) }));
  const server = createYamuxSession(recorded(serverEnd, "server", messages), {
    role: "server",
    onStream: (stream) => serveStream(stream, table),
  });
  const client = createYamuxSession(recorded(clientEnd, "client", messages), { role: "client" });
  await createServiceClient(Agent, createDrpcTransport(client)).getAnnouncementBanners({});
  await expect.poll(() => client.streamCount + server.streamCount).toBe(0);

  expect(messages).toEqual(shownMessages());
  await client.close();
  await server.close();
});

test("docs/wire.md numbers each of its rules once", () => {
  const rules = [...page.matchAll(/^(?:- \*\*|#+ )(W\d[\d.]*[a-z]?)/gm)].map(([, rule]) => rule);
  expect(rules.length).toBeGreaterThan(40);
  expect(new Set(rules).size).toBe(rules.length);
});

/** The same connection; what is written to it is noted as `side hex`. */
function recorded(inner: ByteConnection, side: string, messages: string[]): ByteConnection {
  return new Proxy(inner, {
    get(target, name) {
      if (name === "write") {
        return (bytes: Uint8Array) => {
          messages.push(`${side} ${Buffer.from(bytes).toString("hex")}`);
          target.write(bytes);
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The messages of the page's example, in the same form. */
function shownMessages(): string[] {
  const shown = /```text wire\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  return shown.split(/^(?=\w)/m).map((message) => {
    const [side, ...lines] = message.trim().split("\n");
    return `${side} ${lines.map(hexOf).join("")}`;
  });
}

function hexOf(line: string): string {
  const [bytes = "", text = ""] = (line.split("#")[0] ?? "").split('"');
  return bytes.replaceAll(" ", "") + Buffer.from(text).toString("hex");
}
