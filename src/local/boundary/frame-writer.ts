import { connect, type Socket } from "node:net";

/** Writes frames to a Unix socket, one at a time, over one connection after the other. It keeps no process alive. */
export class FrameWriter {
  readonly #path: string;
  readonly #timeoutMs: number;
  #socket: Socket | undefined;
  #connecting: Promise<Socket> | undefined;
  #isDestroyed = false;

  /** @param timeoutMs the longest time for a connection to be made, and for a frame to leave. */
  constructor(path: string, timeoutMs: number) {
    this.#path = path;
    this.#timeoutMs = timeoutMs;
  }

  /** Connects, unless there is a connection. @throws when that fails. */
  async connect(): Promise<void> {
    await this.#connected();
  }

  /** Writes over the connection, which is made where there is none. @throws when that fails; the connection is dropped. */
  async write(frame: Uint8Array): Promise<void> {
    const socket = await this.#connected();
    const deadline = this.#deadline(socket, "did not take a frame");
    try {
      await new Promise<void>((resolve, reject) => {
        // where a socket was destroyed meanwhile Node calls back without an error, or with one that says no more
        socket.write(frame, (error) => {
          const failure = socket.errored ?? error;
          if (failure) reject(failure);
          else resolve();
        });
      });
    } catch (error) {
      socket.destroy();
      if (this.#socket === socket) this.#socket = undefined;
      throw error;
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Lets what was written arrive, and ends the connection. */
  async end(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) return;
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      if (socket.closed) resolve();
      socket.end();
    });
  }

  /** Ends whatever goes on; nothing can be written any more. */
  destroy(): void {
    this.#isDestroyed = true;
    this.#socket?.destroy(new Error("the writer is closed"));
  }

  #connected(): Promise<Socket> {
    if (this.#isDestroyed) return Promise.reject(new Error("the writer is closed"));
    // one that the agent has ended is still there for a moment
    if (this.#connecting === undefined && this.#socket?.writable) return Promise.resolve(this.#socket);
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  #open(): Promise<Socket> {
    const socket = connect(this.#path);
    socket.unref();
    // nothing is ever said to us, but the end is noticed by reading
    socket.resume();
    this.#socket = socket;
    const deadline = this.#deadline(socket, "did not accept a connection");
    return new Promise<Socket>((resolve, reject) => {
      socket.once("connect", () => resolve(socket));
      // the later ones, of a connection that was good, are told to its writer
      socket.on("error", reject);
      socket.once("close", () => {
        if (this.#socket === socket) this.#socket = undefined;
        reject(new Error(`${this.#path} was closed`));
      });
    }).finally(() => clearTimeout(deadline));
  }

  #deadline(socket: Socket, what: string): NodeJS.Timeout {
    const ms = this.#timeoutMs;
    return setTimeout(() => socket.destroy(new Error(`${this.#path} ${what} within ${ms} ms`)), ms).unref();
  }
}
