import type { NodeSocketOptions } from "./dial-options.js";
import type { SocketOpener } from "./socket-opener.js";

/** Opens WebSockets with the `ws` package. It is loaded with the first: programs that never dial need not wait for it. */
export function nodeOpener(options: NodeSocketOptions): SocketOpener {
  return {
    async open(attempt) {
      const { openWs } = await import("./open-ws-node.js");
      return openWs(attempt, options);
    },
  };
}
