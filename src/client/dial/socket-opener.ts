import type { ByteConnection } from "../../transport/index.js";

/** What one attempt to open a WebSocket is given. */
export interface Attempt {
  url: URL;
  token: string;
  /** The token, and what else of the URL must not be shown. */
  secrets: readonly string[];
  headers: Readonly<Record<string, string>>;
  maxMessageBytes: number;
  signal: AbortSignal;
}

/** How a runtime opens WebSockets. */
export interface SocketOpener {
  /** @throws DialError when it is refused; anything else when it cannot be reached. */
  open(attempt: Attempt): Promise<ByteConnection>;
  /**
   * Where the runtime does not show why an upgrade was refused: asks beforehand, and throws the DialError of a
   * refusal.
   */
  check?(attempt: Attempt): Promise<void>;
}
