import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";

/** Where Debian and its kin have a browser; undefined where there is none. */
export const chromiumPath = (process.env["PATH"] ?? "")
  .split(":")
  .flatMap((folder) => ["chromium", "chromium-browser", "google-chrome"].map((name) => join(folder, name)))
  .find((path) => existsSync(path));

const answerTimeoutMs = 15_000;

/** A page in a browser of its own; both end with the test. */
export interface Page {
  /** Runs an expression in the page. @returns its value, once a promise is settled. */
  evaluate(expression: string): Promise<unknown>;
}

/** Opens a page in a headless browser. */
export async function openPage(url: string): Promise<Page> {
  if (chromiumPath === undefined) throw new Error("there is no chromium: apt-get install chromium");
  const profile = await mkdtemp(join(tmpdir(), "agentwire-chromium-"));
  const flags = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
  ];
  const browser = spawn(
    chromiumPath,
    [...flags, `--user-data-dir=${profile}`, "--remote-debugging-port=0", url],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  onTestFinished(async () => {
    const ended = browser.exitCode ?? once(browser, "exit");
    browser.kill("SIGKILL");
    await ended;
    // its helpers may write for a moment after it has ended
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });
  const port = await debuggingPort(browser.stderr);
  const socket = new WebSocket(await debuggerOf(port, url), { perMessageDeflate: false });
  onTestFinished(() => socket.terminate());
  await once(socket, "open");
  let lastId = 0;
  const waiting = new Map<number, (answer: Answer) => void>();
  socket.on("message", (data: Buffer) => {
    const answer = JSON.parse(data.toString()) as Answer;
    waiting.get(answer.id ?? 0)?.(answer);
  });
  return {
    async evaluate(expression) {
      const id = ++lastId;
      const params = { expression, awaitPromise: true, returnByValue: true };
      socket.send(JSON.stringify({ id, method: "Runtime.evaluate", params }));
      const answer = await new Promise<Answer>((resolve, reject) => {
        const late = () => reject(new Error(`chromium did not answer within ${answerTimeoutMs} ms`));
        const timer = setTimeout(late, answerTimeoutMs);
        waiting.set(id, (found) => {
          clearTimeout(timer);
          resolve(found);
        });
      }).finally(() => waiting.delete(id));
      const { exceptionDetails, result } = answer.result ?? {};
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
      return result?.value;
    },
  };
}

interface Answer {
  id?: number;
  result?: { result?: { value?: unknown }; exceptionDetails?: unknown };
}

async function debuggingPort(stderr: NodeJS.ReadableStream): Promise<number> {
  for await (const line of createInterface({ input: stderr })) {
    const port = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(line)?.[1];
    if (port === undefined) continue;
    stderr.resume();
    return Number(port);
  }
  throw new Error("chromium ended before it listened for its debugger");
}

async function debuggerOf(port: number, url: string): Promise<string> {
  const endMs = Date.now() + answerTimeoutMs;
  while (Date.now() < endMs) {
    const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
      type: string;
      url: string;
      webSocketDebuggerUrl: string;
    }[];
    const page = targets.find((target) => target.type === "page" && target.url.startsWith(url));
    if (page !== undefined) return page.webSocketDebuggerUrl;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`chromium did not open ${url} within ${answerTimeoutMs} ms`);
}
