// Runs the package, packed and installed as its users get it, on each runtime that it says it runs on: each dials a
// control plane, negotiates, calls, streams and ends. Ends with `runtimes: N passed, N failed[, N skipped]`, and
// with 1 unless all passed. A runtime that cannot be had is skipped, and said to be.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "tsdown";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));
const timeoutMs = 60_000;
const lines = 100;

const sum = { passed: 0, failed: 0, skipped: 0 };
const folder = mkdtempSync(join(tmpdir(), "agentwire-runtimes-"));
try {
  installRuntimes();
  installPackage();
  const { startTestPlane } = await import(
    pathToFileURL(join(folder, "node_modules/agentwire/dist/node/testing.js")).href
  );
  const runtime = (name) => join(here, "node_modules/.bin", name);
  const deno = ["run", "--allow-all", "--no-lock", "--node-modules-dir=manual"];
  const serveDeno = [
    "serve",
    "--host",
    "127.0.0.1",
    "--allow-all",
    "--no-lock",
    "--node-modules-dir=manual",
    "--port",
  ];

  const node = `Node ${process.versions.node.split(".")[0]}`;
  await program(`${node}, ES modules`, process.execPath, ["main-thread.mjs"], "node/client.js");
  await program(`${node}, CommonJS`, process.execPath, ["require.cjs"], "node/client.cjs");
  await program("Node 24, ES modules", runtime("node"), ["main-thread.mjs"], "node/client.js");
  await program("Node 24, CommonJS", runtime("node"), ["require.cjs"], "node/client.cjs");
  await program("Bun", runtime("bun"), ["main-thread.mjs"], "node/client.js");
  await program("Bun, worker", runtime("bun"), ["worker-thread.mjs"], "node/client.js");
  await program("Deno", runtime("deno"), [...deno, "main-thread.mjs"], "node/client.js");
  await program("Deno, worker", runtime("deno"), [...deno, "worker-thread.mjs"], "node/client.js");
  await bundle("bundle", { page: join(folder, "page.mjs"), worker: join(folder, "worker.mjs") });
  // one file, as workers are deployed
  await bundle("edge", { edge: join(folder, "node_modules/agentwire/examples/worker/worker.ts") });
  // bundled as for the edge: with the runtime's own WebSocket
  await edgeWorker("Bun, examples/worker", runtime("bun"), () => ["edge/edge.js"]);
  await edgeWorker("Deno, examples/worker", runtime("deno"), (port) => [
    ...serveDeno,
    String(port),
    "edge/edge.js",
  ]);
  await edgeWorker("workerd, examples/worker", workerdPath(), (port) => [
    "serve",
    "workerd.capnp",
    `--socket-addr=http=127.0.0.1:${port}`,
  ]);
  await inBrowser("browser, page", "page");
  await inBrowser("browser, worker", "worker");

  /**
   * Runs a program that says which agent, which version, and which file of the package it has.
   *
   * @param {string} name
   * @param {string} command
   * @param {string[]} args
   * @param {string} file
   */
  async function program(name, command, args, file) {
    await check(name, existsSync(command), async (plane) => {
      const output = await outputOf(command, args, envOf(plane, name));
      if (output !== `main 2.10 ${file}`) throw new Error(`it said ${JSON.stringify(output)}`);
      await checkLogs(plane, name);
    });
  }

  /**
   * Serves the example as a worker, and posts to it.
   *
   * @param {string} name
   * @param {string} command
   * @param {(port: number) => string[]} args
   */
  async function edgeWorker(name, command, args) {
    await check(name, existsSync(command), async (plane) => {
      const port = await freePort();
      const env = { ...envOf(plane, name), PORT: String(port), BUN_PORT: String(port) };
      const child = spawn(command, args(port), { cwd: folder, env, stdio: ["ignore", "ignore", "inherit"] });
      try {
        const body = JSON.stringify({ slug: "assistant", state: "idle", message: name });
        const post = () => fetch(`http://127.0.0.1:${port}/status`, { method: "POST", body });
        const response = await plane.waitFor("the worker answers", post, { timeoutMs });
        const text = await response.text();
        if (response.status !== 200) throw new Error(`it answered ${response.status}: ${text}`);
        await plane.agent.expectAppStatus({ slug: "assistant", state: "idle", message: name });
      } finally {
        await ended(child);
      }
    });
  }

  /**
   * @param {string} name
   * @param {"page" | "worker"} where
   */
  async function inBrowser(name, where) {
    const path = browserPath();
    await check(name, path !== undefined, async (plane) => {
      const { url, done, close } = await frontOf(plane.url);
      const profile = mkdtempSync(join(tmpdir(), "agentwire-chromium-"));
      const query = new URLSearchParams({ token: plane.agent.token, label: name, where });
      const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
      const child = spawn(path, [...flags, `--user-data-dir=${profile}`, `${url}/?${query}`], {
        stdio: "ignore",
        detached: true,
      });
      try {
        const answer = await Promise.race([done, late()]);
        if (answer !== "main 2.10") throw new Error(`it said ${JSON.stringify(answer)}`);
        await checkLogs(plane, name);
      } finally {
        // with the processes that it has started, which write to its profile
        await ended(child, -child.pid);
        close();
        rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
      }
    });
  }

  /**
   * @param {string} name
   * @param {boolean} isThere
   * @param {(plane: any) => Promise<void>} run
   */
  async function check(name, isThere, run) {
    if (!isThere) {
      sum.skipped++;
      console.log(`SKIPPED ${name}: the runtime is not installed`);
      return;
    }
    const plane = await startTestPlane({ agent: { apps: [{ slug: "assistant" }] } });
    try {
      await run(plane);
      // beside the agent: nothing of it looks connected
      await plane.agent.expectStatus("connecting");
      sum.passed++;
      console.log(`passed  ${name}`);
    } catch (error) {
      sum.failed++;
      console.log(`FAILED  ${name}: ${error instanceof Error ? error.message : error}`);
    } finally {
      await plane.close();
    }
  }
} catch (error) {
  sum.failed++;
  console.log(`FAILED  ${error instanceof Error ? error.message : error}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : "";
console.log(`runtimes: ${sum.passed} passed, ${sum.failed} failed${skipped}`);
// the bundler's threads would keep an empty event loop from ending the process
process.exit(sum.failed > 0 ? 1 : 0);

/** Those of package.json in this folder, at first use. */
function installRuntimes() {
  const { dependencies } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
  if (Object.keys(dependencies).every((name) => existsSync(join(here, "node_modules", name)))) return;
  try {
    // not `npm ci`: some registries lack the binaries of other platforms, and then a lock file never fits
    execFileSync("npm", ["install", "--no-save", "--no-package-lock"], {
      cwd: here,
      stdio: ["ignore", "ignore", "inherit"],
    });
  } catch {
    console.log("not all runtimes could be installed: npm install failed in test/runtimes");
  }
}

/** The package as npm packs it, in a folder of its own, with the programs beside it. */
function installPackage() {
  const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ filename }] = JSON.parse(packed);
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  const args = ["install", "--no-audit", "--no-fund", "--no-package-lock", join(folder, filename)];
  execFileSync("npm", args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  for (const file of readdirSync(here).filter(
    (name) => /\.(mjs|cjs|capnp)$/.test(name) && name !== "main.mjs",
  )) {
    copyFileSync(join(here, file), join(folder, file));
  }
}

/**
 * What a browser or a worker gets of it, from a bundler.
 *
 * @param {string} outDir
 * @param {Record<string, string>} entry
 */
async function bundle(outDir, entry) {
  await build({
    config: false,
    cwd: folder,
    entry,
    outDir: join(folder, outDir),
    format: "esm",
    platform: "browser",
    minify: true,
    dts: false,
    noExternal: () => true,
    logLevel: "silent",
  });
}

/** One origin for the page and the control plane; the page posts what it has to say to `/done`. */
async function frontOf(planeUrl) {
  let tell = (_answer) => {};
  const done = new Promise((resolve) => {
    tell = resolve;
  });
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, planeUrl);
    const script = join(folder, "bundle", pathname);
    if (pathname === "/done") {
      let text = "";
      for await (const chunk of request) text += chunk;
      tell(text);
      response.end();
    } else if (pathname === "/") {
      response.setHeader("Content-Type", "text/html");
      response.end('<!doctype html><script type="module" src="/page.js"></script>');
    } else if (existsSync(script)) {
      response.setHeader("Content-Type", "text/javascript");
      response.end(readFileSync(script));
    } else {
      const answer = await fetch(`${planeUrl}${request.url}`);
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
    }
  });
  const sockets = new Set();
  server.on("upgrade", ({ method, url, rawHeaders }, near) => {
    const far = connect(Number(new URL(planeUrl).port), "127.0.0.1");
    sockets.add(near).add(far);
    const headers = rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
    far.write(`${method} ${url} HTTP/1.1\r\n${headers}\r\n`);
    pipeline(near, far, near, () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = () => {
    server.close();
    server.closeAllConnections();
    for (const socket of sockets) socket.destroy();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, done, close };
}

/** All lines are there, in order. */
async function checkLogs(plane, label) {
  const wanted = Array.from({ length: lines }, (_, i) => `${label} ${i + 1}`);
  const stored = await plane.agent.logs();
  if (stored.join("\n") !== wanted.join("\n"))
    throw new Error(`of its ${lines} lines ${stored.length} came, or not in order`);
}

function envOf(plane, label) {
  return { ...process.env, CODER_AGENT_URL: plane.url, CODER_AGENT_TOKEN: plane.agent.token, LABEL: label };
}

async function outputOf(command, args, env) {
  const child = spawn(command, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  if (code !== 0) throw new Error(`it ended with ${signal ?? code}:\n${stdout}${stderr}`);
  return stdout.trim();
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @param {number} id of a process, or of a group
 */
async function ended(child, id = child.pid) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = once(child, "exit");
  process.kill(id, "SIGKILL");
  await end;
}

async function late() {
  await new Promise((resolve) => setTimeout(resolve, timeoutMs).unref());
  throw new Error(`no answer within ${timeoutMs} ms`);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

/** The program itself: the command of its package is a program of Node around it, which would be all that is ended. */
function workerdPath() {
  try {
    return createRequire(join(here, "package.json"))("workerd").default;
  } catch {
    return "";
  }
}

function browserPath() {
  return (process.env.PATH ?? "")
    .split(":")
    .flatMap((path) => ["chromium", "chromium-browser", "google-chrome"].map((name) => join(path, name)))
    .find((path) => existsSync(path));
}
