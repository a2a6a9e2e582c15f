import { describe, expect, it, vi } from "vitest";
import type { WebSocket } from "ws";
import { TextSocket, type TextSocketOptions } from "../../../src/server/http/text-socket.js";
import { eventually } from "../../support/control-plane.js";
import { webSocketPair } from "../../support/web-socket-pair.js";

async function pair(options: TextSocketOptions, autoPong: boolean) {
  const onEnd = vi.fn();
  const { clientSocket, serverSocket } = await webSocketPair((socket: WebSocket) => socket, {
    client: { autoPong },
  });
  const closed = new Promise<string>((resolve) => {
    clientSocket.on("close", (code, reason) => resolve(`${code} ${reason.toString()}`));
  });
  let pings = 0;
  clientSocket.on("ping", () => pings++);
  const socket = new TextSocket(serverSocket, 10, onEnd, options);
  return { socket, clientSocket, onEnd, closed, pings: () => pings };
}

const lostPong = { afterMs: 50, goodbye: { code: 1001, reason: "ping failed" } };

describe("S5.52 who does not answer a ping", () => {
  it("is told so after a time, and is not pinged meanwhile", async () => {
    const { closed, onEnd, pings } = await pair({ lostPong }, false);
    expect(await closed).toBe("1001 ping failed");
    expect(onEnd).toHaveBeenCalled();
    expect(pings()).toBe(1);
  });

  it("is not who answers", async () => {
    const { socket, clientSocket, pings } = await pair({ lostPong: { ...lostPong, afterMs: 1000 } }, true);
    await eventually(() => pings() > 5, "some pings");
    expect(clientSocket.readyState).toBe(clientSocket.OPEN);
    socket.close(1000);
    await socket.closed(1000);
  });

  it("is cut off at the next ping where nothing else is said", async () => {
    const { closed } = await pair({}, false);
    expect(await closed).toBe("1006 ");
  });
});
