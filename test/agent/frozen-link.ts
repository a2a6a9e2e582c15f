import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A way to a server that can be cut, or frozen: then nothing comes through, and nothing is said of it. */
export async function frozenLink(url: string) {
  const { port } = new URL(url);
  const sockets = new Set<Socket>();
  let isFrozen = false;
  const link = createServer((near) => {
    const far = connect(Number(port), "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("data", (chunk) => {
        if (!isFrozen) to.write(chunk);
      });
    }
  }).listen(0, "127.0.0.1");
  const sever = () => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    link.close();
    sever();
  });
  await once(link, "listening");
  return {
    url: `http://127.0.0.1:${(link.address() as AddressInfo).port}`,
    sever,
    freeze: () => {
      isFrozen = true;
    },
  };
}
