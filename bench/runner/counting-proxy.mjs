import { once } from "node:events";
import net from "node:net";
import { WebSocketCounter } from "./web-socket-counter.mjs";

/**
 * @typedef {object} Counts both ways together
 * @property {number} bytes of TCP payload
 * @property {number} messages of WebSockets, where they are counted
 */

/** Stands between a client and a server and counts what passes. */
export class CountingProxy {
  #server;
  #hasWebSockets;
  /** @type {Set<net.Socket>} */
  #sockets = new Set();
  /** @type {WebSocketCounter[]} */
  #counters = [];
  #bytes = 0;

  /**
   * @param {number} port of the server
   * @param {boolean} hasWebSockets
   */
  constructor(port, hasWebSockets) {
    this.#hasWebSockets = hasWebSockets;
    this.#server = net.createServer({ noDelay: true }, (near) => {
      const far = net.connect({ port, host: "127.0.0.1", noDelay: true });
      this.#join(near, far);
      this.#join(far, near);
    });
  }

  /** @returns {Promise<number>} the port of the proxy */
  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return /** @type {net.AddressInfo} */ (this.#server.address()).port;
  }

  /** @returns {Counts} since the beginning */
  get counts() {
    return {
      bytes: this.#bytes,
      messages: this.#counters.reduce((sum, { messages }) => sum + messages, 0),
    };
  }

  close() {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /**
   * @param {net.Socket} from
   * @param {net.Socket} to
   */
  #join(from, to) {
    const counter = new WebSocketCounter();
    this.#counters.push(counter);
    this.#sockets.add(from);
    from.on("data", (chunk) => {
      this.#bytes += chunk.length;
      if (this.#hasWebSockets) counter.push(chunk);
    });
    from.on("error", () => to.destroy());
    from.on("close", () => this.#sockets.delete(from));
    from.pipe(to);
  }
}
