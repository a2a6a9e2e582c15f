import { httpServer } from "../../support/http-servers.js";
import { vectors } from "../../support/vectors.js";

interface Recorded {
  name: string;
  status: number;
  headers: Record<string, string>;
  json?: unknown;
}

/** What was asked of a {@link recordedServer}. */
export interface Asked {
  line: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** A server that answers as the recorded control plane did, or with JSON of the test's own. */
export async function recordedServer(
  answer: string | { json: unknown },
): Promise<{ url: string; asked: Asked[] }> {
  const recording = typeof answer === "string" ? recordingOf(answer) : { status: 200, json: answer.json };
  const asked: Asked[] = [];
  const { url } = await httpServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    asked.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
    response.writeHead(recording.status, { "Content-Type": "application/json; charset=utf-8" });
    response.end(`${JSON.stringify(recording.json ?? null)}\n`);
  });
  return { url, asked };
}

function recordingOf(name: string): Recorded {
  const recording = vectors<Recorded[]>("http").find((one) => one.name === name);
  if (recording === undefined) throw new Error(`no recording of ${name}`);
  return recording;
}
