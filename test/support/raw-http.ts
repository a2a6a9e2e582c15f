import { connect } from "node:net";

/** What came back on a connection, as text. */
export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Sends a request as it is and reads the answer: all of it, or its head where it is an upgrade. */
export function rawRequest(url: string, lines: readonly string[], body = ""): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let received = "";
    const finish = () => {
      const answer = parse(received);
      if (answer === undefined) return;
      socket.destroy();
      resolve(answer);
    };
    socket.on("error", reject);
    socket.on("connect", () => {
      const hasHost = lines.some((line) => /^host:/i.test(line));
      socket.write(
        [lines[0], ...(hasHost ? [] : [`Host: ${host}`]), ...lines.slice(1), "", body].join("\r\n"),
      );
    });
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
      finish();
    });
    socket.on("close", () => {
      finish();
      reject(new Error(`closed after ${JSON.stringify(received)}`));
    });
  });
}

/** The answer once it is complete; an upgrade is complete with its head. */
function parse(received: string): RawAnswer | undefined {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...rest] = received.slice(0, end).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of rest) {
    const at = line.indexOf(":");
    headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
  }
  const status = Number(first.split(" ")[1]);
  const body = received.slice(end + 4);
  const length = Number(headers["content-length"] ?? 0);
  if (status !== 101 && body.length < length) return undefined;
  return { status, headers, body };
}

/** The head of a WebSocket handshake. */
export function upgradeLines(path: string, ...more: string[]): string[] {
  return [
    `GET ${path} HTTP/1.1`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...more,
  ];
}
